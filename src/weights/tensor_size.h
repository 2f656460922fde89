#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "weights/dtype.h"

namespace aurum::weights {

// The bytes of a tensor; nullopt when they overflow, a dimension is negative, or a row is not whole
// blocks.
std::optional<std::uint64_t> tensor_bytes(DType dtype, std::span<const std::int64_t> shape);

}  // namespace aurum::weights

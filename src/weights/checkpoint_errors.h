#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aurum::weights {

// What every kind of checkpoint says about a tensor that is absent or of an unexpected shape.
[[noreturn]] void fail_missing(const std::string& file, std::string_view name);
void check_tensor_shape(const std::string& file, std::string_view name,
                        const std::vector<std::int64_t>& shape,
                        const std::optional<std::vector<std::int64_t>>& expected);

}  // namespace aurum::weights

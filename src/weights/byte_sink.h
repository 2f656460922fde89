#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace aurum::weights {

// Takes the bytes of a tensor in file order, piece by piece, so that nobody holds them all.
using ByteSink = std::function<void(std::span<const std::byte>)>;
using ByteSource = std::function<void(const ByteSink&)>;

}  // namespace aurum::weights

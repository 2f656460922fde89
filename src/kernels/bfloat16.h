#pragma once

#include <bit>
#include <cstdint>

namespace aurum::kernels {

// The bits of a bfloat16: the upper half of a float32.
using BFloat16 = std::uint16_t;

inline float to_float(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}
inline float to_float(float value) { return value; }

// Rounds to nearest even; a NaN stays a NaN.
inline BFloat16 to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<BFloat16>((bits >> 16) | 0x40);
  return static_cast<BFloat16>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

}  // namespace aurum::kernels

#pragma once

#include <bit>
#include <cstdint>

namespace aurum::weights {

// Conversions between float32 and the two 16-bit formats, rounding to nearest even. Plain integer
// and float arithmetic, so that compilers vectorise loops over them for any instruction set.

inline float float_of_half(std::uint16_t half) {
  const std::uint32_t magnitude = (half & 0x7FFFU) << 13;
  // Moves the exponent from bias 15 to 127; exact for subnormal halves too.
  std::uint32_t bits = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112F);
  bits = (half & 0x7C00U) == 0x7C00U ? (magnitude | 0x7F800000U) : bits;
  return std::bit_cast<float>(bits | (half & 0x8000U) << 16);
}

inline std::uint16_t half_of_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000U, magnitude = bits & 0x7FFFFFFFU;
  // Normal halves: rebias, then round the 13 bits that fall off.
  const std::uint32_t normal = (magnitude - 0x38000000U + 0xFFFU + (magnitude >> 13 & 1U)) >> 13;
  // Subnormal ones: adding 1/2 leaves them, rounded, in the low bits of the sum.
  const std::uint32_t subnormal =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3F000000U;
  std::uint32_t half = magnitude < 0x38800000U ? subnormal : normal;
  half = magnitude >= 0x477FF000U ? 0x7C00U : half;
  half = magnitude > 0x7F800000U ? 0x7E00U : half;
  return static_cast<std::uint16_t>(sign | half);
}

inline std::uint16_t bfloat16_of_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  return (bits & 0x7FFFFFFFU) > 0x7F800000U ? std::uint16_t{0x7FC0}
                                            : static_cast<std::uint16_t>(rounded);
}

}  // namespace aurum::weights

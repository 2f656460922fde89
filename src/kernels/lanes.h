#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/instruction_set.h"

// Sixteen values side by side, in GCC's vector notation: the compiler maps them to whatever
// registers the function's target has. Only for use inside force-inlined kernel bodies.
namespace aurum::kernels {

typedef float FloatLanes __attribute__((vector_size(64)));
typedef std::int32_t IntLanes __attribute__((vector_size(64)));
typedef std::uint32_t BitLanes __attribute__((vector_size(64)));
typedef std::uint16_t HalfLanes __attribute__((vector_size(32)));

inline constexpr std::int64_t kLanes = 16;

AURUM_FORCE_INLINE void load_lanes(const float* from, FloatLanes& lanes) {
  __builtin_memcpy(&lanes, from, sizeof(lanes));
}
AURUM_FORCE_INLINE void load_lanes(const BFloat16* from, FloatLanes& lanes) {
  HalfLanes half;
  __builtin_memcpy(&half, from, sizeof(half));
  const BitLanes bits = __builtin_convertvector(half, BitLanes) << 16;
  __builtin_memcpy(&lanes, &bits, sizeof(lanes));
}
AURUM_FORCE_INLINE void store_lanes(const FloatLanes& lanes, float* to) {
  __builtin_memcpy(to, &lanes, sizeof(lanes));
}

// Adds the lanes in a fixed tree order.
AURUM_FORCE_INLINE float sum_lanes(const FloatLanes& lanes) {
  float part[kLanes];
  store_lanes(lanes, part);
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) part[i] += part[i + width];
  }
  return part[0];
}

AURUM_FORCE_INLINE float largest_lane(const FloatLanes& lanes) {
  float part[kLanes];
  store_lanes(lanes, part);
  return *std::max_element(part, part + kLanes);
}

// exp(x) for x <= 0, to about two units in the last place; below -87 it gives nearly 0.
AURUM_FORCE_INLINE void exp_lanes(FloatLanes& x) {
  const FloatLanes lowest = FloatLanes{} - 87.0f;
  x = x < lowest ? lowest : x;
  // x = n ln 2 + r with |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds to an integer.
  const FloatLanes shifted = x * 1.44269504f + 12582912.0f;
  const FloatLanes n = shifted - 12582912.0f;
  const FloatLanes r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  FloatLanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const IntLanes exponent = (__builtin_convertvector(n, IntLanes) + 127) << 23;
  FloatLanes power;
  __builtin_memcpy(&power, &exponent, sizeof(power));
  x = p * power;
}

}  // namespace aurum::kernels

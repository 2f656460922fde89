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

// Values of T that lie side by side in one lane of 32 bits: pairs in bfloat16.
template <typename T>
inline constexpr std::int64_t kPack = sizeof(T) == 2 ? 2 : 1;

AURUM_FORCE_INLINE void load_lanes(const float* from, FloatLanes& lanes) {
  __builtin_memcpy(&lanes, from, sizeof(lanes));
}
AURUM_FORCE_INLINE void load_lanes(const BFloat16* from, FloatLanes& lanes) {
  HalfLanes half;
  __builtin_memcpy(&half, from, sizeof(half));
  const BitLanes bits = __builtin_convertvector(half, BitLanes) << 16;
  __builtin_memcpy(&lanes, &bits, sizeof(lanes));
}
// The first and the second values of sixteen pairs.
AURUM_FORCE_INLINE void load_pairs(const BFloat16* from, FloatLanes& first, FloatLanes& second) {
  BitLanes bits;
  __builtin_memcpy(&bits, from, sizeof(bits));
  const BitLanes low = bits << 16, high = bits & 0xffff0000u;
  __builtin_memcpy(&first, &low, sizeof(first));
  __builtin_memcpy(&second, &high, sizeof(second));
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

// The largest of `size` > 0 values.
AURUM_FORCE_INLINE float largest_of(const float* values, std::int64_t size) {
  constexpr std::int64_t kChains = 4;  // a comparison waits for the one before it
  FloatLanes largest[kChains];
  for (FloatLanes& lanes : largest) lanes = FloatLanes{} + values[0];
  const auto take = [&](std::int64_t i, FloatLanes & most) __attribute__((always_inline)) {
    FloatLanes v;
    load_lanes(values + i, v);
    most = v > most ? v : most;
  };
  std::int64_t i = 0;
  for (; i + kChains * kLanes <= size; i += kChains * kLanes) {
#pragma GCC unroll 4
    for (std::int64_t c = 0; c < kChains; ++c) take(i + c * kLanes, largest[c]);
  }
  for (; i + kLanes <= size; i += kLanes) take(i, largest[0]);
  for (std::int64_t c = 1; c < kChains; ++c) {
    largest[0] = largest[c] > largest[0] ? largest[c] : largest[0];
  }
  float result = largest_lane(largest[0]);
  for (; i < size; ++i) result = std::max(result, values[i]);
  return result;
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

// sigmoid(x) = numerator / denominator, through exp(-|x|), which cannot overflow.
AURUM_FORCE_INLINE void sigmoid_parts(const FloatLanes& x, FloatLanes& numerator,
                                      FloatLanes& denominator) {
  const FloatLanes one = FloatLanes{} + 1.0f;
  FloatLanes e = x < 0.0f ? x : -x;
  exp_lanes(e);
  numerator = x < 0.0f ? e : one;
  denominator = one + e;
}

}  // namespace aurum::kernels

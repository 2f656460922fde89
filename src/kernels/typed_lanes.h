#pragma once

#include "kernels/lanes.h"

// Sixteen values of float or bfloat16 memory as float lanes, and the rest of a row.
namespace aurum::kernels {

AURUM_FORCE_INLINE void store_rounded(const FloatLanes& lanes, float* to) {
  store_lanes(lanes, to);
}
// Rounds to nearest even. NaNs must be quiet ones, which is all that arithmetic makes.
AURUM_FORCE_INLINE void store_rounded(const FloatLanes& lanes, BFloat16* to) {
  BitLanes bits;
  __builtin_memcpy(&bits, &lanes, sizeof(bits));
  bits = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const HalfLanes half = __builtin_convertvector(bits, HalfLanes);
  __builtin_memcpy(to, &half, sizeof(half));
}

// The values of `lanes` as T holds them.
template <typename T>
AURUM_FORCE_INLINE void round_lanes(FloatLanes& lanes) {
  if constexpr (sizeof(T) == 2) {
    T rounded[kLanes];
    store_rounded(lanes, rounded);
    load_lanes(rounded, lanes);
  }
}

// Calls body(offset, count) for runs of at most 16 of `size` values.
template <typename Body>
AURUM_FORCE_INLINE void for_lanes(std::int64_t size, const Body& body) {
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) body(i, kLanes);
  if (i < size) body(i, size - i);
}

// The bits of the first `count` values; the others are zero.
AURUM_FORCE_INLINE void load_halves(const BFloat16* from, std::int64_t count, HalfLanes& half) {
  half = HalfLanes{};
  if (count == kLanes) {
    __builtin_memcpy(&half, from, sizeof(half));
  } else {
    for (std::int64_t i = 0; i < count; ++i) half[i] = from[i];
  }
}

// The first `count` values; the others are zero. A whole run costs one plain load.
template <typename T>
AURUM_FORCE_INLINE void load_some(const T* from, std::int64_t count, FloatLanes& lanes) {
  if (count == kLanes) return load_lanes(from, lanes);
  T padded[kLanes] = {};
  for (std::int64_t i = 0; i < count; ++i) padded[i] = from[i];
  load_lanes(padded, lanes);
}
template <typename T>
AURUM_FORCE_INLINE void store_some(const FloatLanes& lanes, std::int64_t count, T* to) {
  if (count == kLanes) return store_rounded(lanes, to);
  T padded[kLanes];
  store_rounded(lanes, padded);
  for (std::int64_t i = 0; i < count; ++i) to[i] = padded[i];
}

}  // namespace aurum::kernels

#include "kernels/packed_product.h"

#include <algorithm>

#include "kernels/run_with.h"
#include "kernels/typed_lanes.h"

#if AURUM_X86
#include <immintrin.h>
#endif

namespace aurum::kernels {

namespace {

// sums[r][c] += a values * b lanes for one step of k (a pair in bfloat16).
AURUM_FORCE_INLINE void multiply_add(const float* a, const float* b, FloatLanes& sum) {
  FloatLanes lanes;
  load_lanes(b, lanes);
  sum += lanes * *a;
}
AURUM_FORCE_INLINE void multiply_add(const BFloat16* a, const BFloat16* b, FloatLanes& sum) {
  FloatLanes even, odd;
  load_pairs(b, even, odd);
  sum += even * to_float(a[0]);
  sum += odd * to_float(a[1]);
}

AURUM_FORCE_INLINE void write_lanes(const FloatLanes& sum, bool accumulates, float* out) {
  FloatLanes result = sum;
  if (accumulates) {
    FloatLanes before;
    load_lanes(out, before);
    result += before;
  }
  store_lanes(result, out);
}

// kRows x kChunks tiles of the result, kept in registers over all of k.
template <int kRows, int kChunks, typename T>
AURUM_FORCE_INLINE void run_tile(const PackedProduct<T>& p, std::int64_t row, std::int64_t chunk) {
  FloatLanes sums[kRows][kChunks] = {};
  const T* a = p.a.data + row * p.a.row_stride;
  const T* b = p.packed + chunk * p.chunk_stride;
  for (std::int64_t k = 0; k < p.k; k += kPack<T>, a += p.a.step_stride) {
#pragma GCC unroll 8
    for (int c = 0; c < kChunks; ++c) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        multiply_add(a + r * p.a.row_stride, b + c * p.chunk_stride + k * kColumnChunk, sums[r][c]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kChunks; ++c) {
      write_lanes(sums[r][c], p.accumulates,
                  p.out + (row + r) * p.out_stride + (chunk + c) * kColumnChunk);
    }
  }
}

template <int kRows, int kChunks, typename T>
AURUM_FORCE_INLINE void run_product(const PackedProduct<T>& p) {
  const std::int64_t chunks = p.columns / kColumnChunk;
  for (std::int64_t chunk = 0; chunk < chunks;) {
    const bool whole = chunk + kChunks <= chunks;
    std::int64_t row = 0;
    for (; row + kRows <= p.rows; row += kRows) {
      whole ? run_tile<kRows, kChunks>(p, row, chunk) : run_tile<kRows, 1>(p, row, chunk);
    }
    for (; row < p.rows; ++row) {
      whole ? run_tile<1, kChunks>(p, row, chunk) : run_tile<1, 1>(p, row, chunk);
    }
    chunk += whole ? kChunks : 1;
  }
}

template <typename T>
void product_plain(const PackedProduct<T>& p) {
  run_product<1, 1>(p);
}
template <typename T>
AURUM_TARGET_AVX2 void product_avx2(const PackedProduct<T>& p) {
  run_product<2, 1>(p);
}
template <typename T>
AURUM_TARGET_AVX512 void product_avx512(const PackedProduct<T>& p) {
  run_product<4, 4>(p);
}

#if AURUM_X86
template <int kRows, int kChunks>
AURUM_TARGET_AVX512_BFLOAT16 inline void run_pair_tile(const PackedProduct<BFloat16>& p,
                                                       std::int64_t row, std::int64_t chunk) {
  __m512 sums[kRows][kChunks];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < kChunks; ++c) sums[r][c] = _mm512_setzero_ps();
  }
  const BFloat16* a = p.a.data + row * p.a.row_stride;
  const BFloat16* b = p.packed + chunk * p.chunk_stride;
  for (std::int64_t k = 0; k < p.k; k += 2, a += p.a.step_stride) {
    __m512bh lanes[kChunks];
#pragma GCC unroll 8
    for (int c = 0; c < kChunks; ++c) {
      lanes[c] = (__m512bh)_mm512_loadu_si512(b + c * p.chunk_stride + k * kColumnChunk);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      std::int32_t pair;
      __builtin_memcpy(&pair, a + r * p.a.row_stride, sizeof(pair));
      const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 8
      for (int c = 0; c < kChunks; ++c) sums[r][c] = _mm512_dpbf16_ps(sums[r][c], both, lanes[c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < kChunks; ++c) {
      float* out = p.out + (row + r) * p.out_stride + (chunk + c) * kColumnChunk;
      if (p.accumulates) sums[r][c] = _mm512_add_ps(sums[r][c], _mm512_loadu_ps(out));
      _mm512_storeu_ps(out, sums[r][c]);
    }
  }
}

template <int kChunks>
AURUM_TARGET_AVX512_BFLOAT16 void run_pair_rows(const PackedProduct<BFloat16>& p,
                                                std::int64_t chunk) {
  std::int64_t row = 0;
  for (; row + 4 <= p.rows; row += 4) run_pair_tile<4, kChunks>(p, row, chunk);
  for (; row < p.rows; ++row) run_pair_tile<1, kChunks>(p, row, chunk);
}

AURUM_TARGET_AVX512_BFLOAT16 void product_pairs(const PackedProduct<BFloat16>& p) {
  const std::int64_t chunks = p.columns / kColumnChunk;
  std::int64_t chunk = 0;
  for (; chunk + 4 <= chunks; chunk += 4) run_pair_rows<4>(p, chunk);
  for (; chunk < chunks; ++chunk) run_pair_rows<1>(p, chunk);
}
#endif

// Up to 16 values of `rows_left` rows, at most kPack of them, side by side: zeros where there are
// none.
AURUM_FORCE_INLINE void interleave_rows(const float* from, std::int64_t, std::int64_t rows_left,
                                        std::int64_t width, float* to) {
  FloatLanes values = {};
  if (rows_left > 0) load_some(from, width, values);
  store_lanes(values, to);
}
AURUM_FORCE_INLINE void interleave_rows(const BFloat16* from, std::int64_t stride,
                                        std::int64_t rows_left, std::int64_t width, BFloat16* to) {
  HalfLanes first = {}, second = {};
  if (rows_left > 0) load_halves(from, width, first);
  if (rows_left > 1) load_halves(from + stride, width, second);
  const BitLanes pairs =
      __builtin_convertvector(first, BitLanes) | __builtin_convertvector(second, BitLanes) << 16;
  __builtin_memcpy(to, &pairs, sizeof(pairs));
}

}  // namespace

template <typename T>
void pack_rows(const T* b, std::int64_t stride, std::int64_t k, std::int64_t columns, T* packed,
               InstructionSet set) {
  const std::int64_t padded_k = round_up(k, kColumnChunk);
  run_with(
      set, [=]() __attribute__((always_inline)) {
        for (std::int64_t chunk = 0; chunk < columns; chunk += kColumnChunk) {
          const std::int64_t width = std::min(kColumnChunk, columns - chunk);
          T* to = packed + chunk * padded_k;
          for (std::int64_t i = 0; i < padded_k; i += kPack<T>, to += kPack<T> * kColumnChunk) {
            interleave_rows(b + i * stride + chunk, stride, k - i, width, to);
          }
        }
      });
}

template <typename T>
void pack_columns(const T* b, std::int64_t stride, std::int64_t k, std::int64_t columns,
                  T* packed) {
  constexpr std::int64_t kUnit = kPack<T>;
  const std::int64_t padded_k = round_up(k, kColumnChunk), whole = k / kUnit * kUnit;
  if (k != padded_k || columns % kColumnChunk != 0) {
    std::fill_n(packed, packed_size(k, columns), T{});
  }
  for (std::int64_t j = 0; j < columns; ++j) {
    const T* column = b + j * stride;
    T* to = packed + j / kColumnChunk * padded_k * kColumnChunk + j % kColumnChunk * kUnit;
    for (std::int64_t i = 0; i < whole; i += kUnit) {
      __builtin_memcpy(to + i * kColumnChunk, column + i, kUnit * sizeof(T));
    }
    if (whole < k) to[whole * kColumnChunk] = column[whole];
  }
}

template <typename T>
LeftFactor<T> transposed_factor(const T* matrix, std::int64_t k, std::int64_t rows,
                                std::vector<T>& storage, InstructionSet set) {
  if constexpr (kPack<T> == 1) return {.data = matrix, .row_stride = 1, .step_stride = rows};
  const std::int64_t step = kPack<T> * rows, size = round_up(k, kPack<T>) * rows;
  if (storage.size() < static_cast<std::size_t>(size)) {
    storage.resize(static_cast<std::size_t>(size));
  }
  T* const data = storage.data();
  run_with(
      set, [=]() __attribute__((always_inline)) {
        for (std::int64_t i = 0; i < k; i += kPack<T>) {
          for (std::int64_t j = 0; j < rows; j += kColumnChunk) {
            interleave_rows(matrix + i * rows + j, rows, k - i, kColumnChunk,
                            data + i * rows + kPack<T> * j);
          }
        }
      });
  return {.data = data, .row_stride = kPack<T>, .step_stride = step};
}

template <typename T>
ProductFunction<T> choose_product(InstructionSet set) {
#if AURUM_X86
  if constexpr (sizeof(T) == 2) {
    if (set == InstructionSet::kAvx512BFloat16) return product_pairs;
  }
#endif
  if (set >= InstructionSet::kAvx512) return product_avx512<T>;
  if (set == InstructionSet::kAvx2) return product_avx2<T>;
  return product_plain<T>;
}

#define AURUM_INSTANTIATE(T)                                                                       \
  template void pack_rows(const T*, std::int64_t, std::int64_t, std::int64_t, T*, InstructionSet); \
  template void pack_columns(const T*, std::int64_t, std::int64_t, std::int64_t, T*);              \
  template LeftFactor<T> transposed_factor(const T*, std::int64_t, std::int64_t, std::vector<T>&,  \
                                           InstructionSet);                                        \
  template ProductFunction<T> choose_product(InstructionSet)
AURUM_INSTANTIATE(float);
AURUM_INSTANTIATE(BFloat16);
#undef AURUM_INSTANTIATE

}  // namespace aurum::kernels

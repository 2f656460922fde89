#include "kernels/pair_packing.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/instruction_set.h"

#if AURUM_X86
#include <immintrin.h>
#endif

namespace aurum::kernels {

namespace {

PairRows pair_rows(const Pair* data, std::int64_t stride) {
  return {.data = data,
          .row_stride = stride,
          .pair_stride = 1,
          .block_rows = std::numeric_limits<std::int64_t>::max(),
          .block_stride = 0};
}

}  // namespace

PairRows rows_of(const BFloat16* matrix, std::int64_t stride) {
  AURUM_CHECK(stride % 2 == 0, "rows of {} values are not pairs", stride);
  return pair_rows(reinterpret_cast<const Pair*>(matrix), stride / 2);
}

#if AURUM_X86

namespace {

constexpr std::int64_t kVector = 16;           // pairs in a register
constexpr std::int64_t kTransposedBlock = 48;  // rows of A^T whose pairs lie together
constexpr std::int64_t kValueBytes = sizeof(BFloat16), kPairBytes = sizeof(Pair);

std::uintptr_t address_of(const BFloat16* matrix, std::int64_t index) {
  return reinterpret_cast<std::uintptr_t>(matrix) +
         static_cast<std::uintptr_t>(index * kValueBytes);
}

__mmask32 first_values(std::int64_t count) {
  return count >= 32 ? ~__mmask32{0} : (count <= 0 ? 0 : (__mmask32{1} << count) - 1);
}

// Transposes 16 x 16 pairs: row r of `from`, 32 values each, becomes lane r of 16 vectors that lie
// kPanelColumns apart. Rows from `rows` on and values outside of `mask` are 0; only the first
// `count` vectors are written.
AURUM_TARGET_AVX512_BFLOAT16 void transpose_pairs(const BFloat16* from, std::int64_t stride,
                                                  std::int64_t rows, __mmask32 mask,
                                                  std::int64_t count, Pair* to) {
  __m512i a[16], b[16];
#pragma GCC unroll 16
  for (int r = 0; r < 16; ++r) {
    a[r] = r < rows ? _mm512_maskz_loadu_epi16(mask, from + r * stride) : _mm512_setzero_si512();
  }
#pragma GCC unroll 8
  for (int r = 0; r < 16; r += 2) {
    b[r] = _mm512_unpacklo_epi32(a[r], a[r + 1]);
    b[r + 1] = _mm512_unpackhi_epi32(a[r], a[r + 1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < 16; r += 4) {
    a[r] = _mm512_unpacklo_epi64(b[r], b[r + 2]);
    a[r + 1] = _mm512_unpackhi_epi64(b[r], b[r + 2]);
    a[r + 2] = _mm512_unpacklo_epi64(b[r + 1], b[r + 3]);
    a[r + 3] = _mm512_unpackhi_epi64(b[r + 1], b[r + 3]);
  }
  // a[4 g + c] holds, in its 128-bit lane l, rows 4 g .. 4 g + 3 of pair 4 l + c.
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i low01 = _mm512_shuffle_i32x4(a[c], a[4 + c], 0x44);
    const __m512i high01 = _mm512_shuffle_i32x4(a[c], a[4 + c], 0xee);
    const __m512i low23 = _mm512_shuffle_i32x4(a[8 + c], a[12 + c], 0x44);
    const __m512i high23 = _mm512_shuffle_i32x4(a[8 + c], a[12 + c], 0xee);
    b[c] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    b[4 + c] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
    b[8 + c] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    b[12 + c] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
  }
#pragma GCC unroll 16
  for (int p = 0; p < 16; ++p) {
    if (p < count) _mm512_store_si512(to + p * kPanelColumns, b[p]);
  }
}

// Sixteen pairs of values [0, 16) and [16, 32) of two rows.
struct Interleaved {
  __m512i low, high;
};
AURUM_TARGET_AVX512_BFLOAT16 inline Interleaved interleave(__m512i first, __m512i second) {
  // Index 32 + i of the permutation is value i of `second`.
  const __m512i counting = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i low = _mm512_or_si512(
      counting, _mm512_slli_epi32(_mm512_add_epi32(counting, _mm512_set1_epi32(32)), 16));
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  return {_mm512_permutex2var_epi16(first, low, second),
          _mm512_permutex2var_epi16(first, high, second)};
}

AURUM_TARGET_AVX512_BFLOAT16 void pack_columns_of(const BFloat16* matrix, std::int64_t depth,
                                                  std::int64_t columns, std::int64_t panel,
                                                  std::int64_t begin, std::int64_t end, Pair* to) {
  const std::int64_t column = panel * kPanelColumns;
  const __mmask32 masks[2] = {first_values(columns - column), first_values(columns - column - 32)};
  for (std::int64_t p = begin; p < end; ++p, to += kPanelColumns) {
    const BFloat16* row = matrix + 2 * p * columns + column;
    const bool has_second = 2 * p + 1 < depth;
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const __m512i first = _mm512_maskz_loadu_epi16(masks[half], row + 32 * half);
      const __m512i second = has_second
                                 ? _mm512_maskz_loadu_epi16(masks[half], row + columns + 32 * half)
                                 : _mm512_setzero_si512();
      const Interleaved pairs = interleave(first, second);
      _mm512_store_si512(to + 32 * half, pairs.low);
      _mm512_store_si512(to + 32 * half + kVector, pairs.high);
    }
  }
}

AURUM_TARGET_AVX512_BFLOAT16 void pack_doubled_rows_of(const BFloat16* matrix, std::int64_t columns,
                                                       std::int64_t panel, std::int64_t begin,
                                                       std::int64_t end, Pair* to) {
  const std::int64_t column = panel * kPanelColumns;
  for (std::int64_t p = begin; p < end; ++p, to += kPanelColumns) {
    const BFloat16* row = matrix + p * columns + column;
#pragma GCC unroll 4
    for (std::int64_t c = 0; c < kPanelColumns; c += kVector) {
      const auto mask =
          static_cast<__mmask16>(first_values(std::min(kVector, columns - column - c)));
      const __m512i values = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row + c));
      _mm512_store_si512(to + c, _mm512_or_si512(values, _mm512_slli_epi32(values, 16)));
    }
  }
}

// Pairs [begin, end) of all rows of A^T, in blocks of 48 rows.
AURUM_TARGET_AVX512_BFLOAT16 void pack_transposed(const BFloat16* matrix, std::int64_t depth,
                                                  std::int64_t rows, std::int64_t begin,
                                                  std::int64_t end, Pair* to) {
  const std::int64_t block_stride = pairs_of(depth) * kTransposedBlock;
  for (std::int64_t p = begin; p < end; ++p) {
    const BFloat16* first = matrix + 2 * p * rows;
    const bool has_second = 2 * p + 1 < depth;
    for (std::int64_t row = 0; row < rows; row += kVector) {
      const __mmask32 mask = first_values(std::min(kVector, rows - row));
      const __m512i a = _mm512_maskz_loadu_epi16(mask, first + row);
      const __m512i b =
          has_second ? _mm512_maskz_loadu_epi16(mask, first + rows + row) : _mm512_setzero_si512();
      _mm512_store_si512(to + row / kTransposedBlock * block_stride + row % kTransposedBlock +
                             p * kTransposedBlock,
                         interleave(a, b).low);
    }
  }
}

AURUM_TARGET_AVX512_BFLOAT16 void round_row(const float* row, std::int64_t depth, Pair* to) {
  auto* out = reinterpret_cast<BFloat16*>(to);
  for (std::int64_t k = 0; k < depth; k += kVector) {
    const __mmask32 mask = first_values(std::min(kVector, depth - k));
    const __m512 values = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), row + k);
    _mm256_mask_storeu_epi16(out + k, static_cast<__mmask16>(mask),
                             reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values)));
  }
  if (depth % 2 != 0) out[depth] = 0;
}

}  // namespace

PairRows rounded_rows_of(const float* matrix, std::int64_t rows, std::int64_t depth,
                         AlignedBuffer<Pair>& storage) {
  const std::int64_t stride = pairs_of(depth);
  storage.reserve(static_cast<std::size_t>(rows * stride));
  const std::int64_t worth_a_thread = std::max<std::int64_t>(1, (1 << 16) / depth);
  parallel_for(rows, worth_a_thread, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      round_row(matrix + row * depth, depth, storage.data() + row * stride);
    }
  });
  return pair_rows(storage.data(), stride);
}

void pack_rows_as_columns(const BFloat16* matrix, std::int64_t stride, std::int64_t columns,
                          std::int64_t depth, std::int64_t begin, std::int64_t end, Pair* to) {
  for (std::int64_t p = begin; p < end; p += kVector, to += kVector * kPanelColumns) {
    const __mmask32 mask = first_values(depth - 2 * p);
    for (std::int64_t c = 0; c < kPanelColumns; c += kVector) {
      transpose_pairs(matrix + c * stride + 2 * p, stride, columns - c, mask,
                      std::min(kVector, end - p), to + c);
    }
  }
}

PanelSource rows_as_columns(const BFloat16* matrix, std::int64_t columns, std::int64_t depth) {
  const auto pack = [=](std::int64_t panel, std::int64_t begin, std::int64_t end, Pair* to) {
    const std::int64_t column = panel * kPanelColumns;
    pack_rows_as_columns(matrix + column * depth, depth, columns - column, depth, begin, end, to);
  };
  const auto region = [=](std::int64_t panel, std::int64_t begin, std::int64_t end) {
    return PanelRegion{.address = address_of(matrix, panel * kPanelColumns * depth + 2 * begin),
                       .rows = kPanelColumns,
                       .row_bytes = (end - begin) * kPairBytes,
                       .stride = depth * kValueBytes};
  };
  return {pack, region};
}

PanelSource columns_of(const BFloat16* matrix, std::int64_t depth, std::int64_t columns) {
  const auto pack = [=](std::int64_t panel, std::int64_t begin, std::int64_t end, Pair* to) {
    pack_columns_of(matrix, depth, columns, panel, begin, end, to);
  };
  const auto region = [=](std::int64_t panel, std::int64_t begin, std::int64_t end) {
    return PanelRegion{.address = address_of(matrix, 2 * begin * columns + panel * kPanelColumns),
                       .rows = 2 * (end - begin),
                       .row_bytes = kPanelColumns * kValueBytes,
                       .stride = columns * kValueBytes};
  };
  return {pack, region};
}

PanelSource doubled_rows_of(const BFloat16* matrix, std::int64_t columns) {
  const auto pack = [=](std::int64_t panel, std::int64_t begin, std::int64_t end, Pair* to) {
    pack_doubled_rows_of(matrix, columns, panel, begin, end, to);
  };
  const auto region = [=](std::int64_t panel, std::int64_t begin, std::int64_t end) {
    return PanelRegion{.address = address_of(matrix, begin * columns + panel * kPanelColumns),
                       .rows = end - begin,
                       .row_bytes = kPanelColumns * kValueBytes,
                       .stride = columns * kValueBytes};
  };
  return {pack, region};
}

PairRows transposed_rows_of(const BFloat16* matrix, std::int64_t depth, std::int64_t rows,
                            AlignedBuffer<Pair>& storage) {
  const std::int64_t pairs = pairs_of(depth);
  const std::int64_t blocks = (rows + kTransposedBlock - 1) / kTransposedBlock;
  storage.reserve(static_cast<std::size_t>(blocks * kTransposedBlock * pairs));
  parallel_for(pairs, 16, [&](std::int64_t begin, std::int64_t end) {
    pack_transposed(matrix, depth, rows, begin, end, storage.data());
  });
  return {.data = storage.data(),
          .row_stride = 1,
          .pair_stride = kTransposedBlock,
          .block_rows = kTransposedBlock,
          .block_stride = pairs * kTransposedBlock};
}

#else

namespace {
[[noreturn]] void refuse() {
  AURUM_CHECK(false, "no AVX-512 BF16 here");
  std::abort();
}
}  // namespace

void pack_rows_as_columns(const BFloat16*, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                          std::int64_t, Pair*) {
  refuse();
}
PanelSource rows_as_columns(const BFloat16*, std::int64_t, std::int64_t) { refuse(); }
PanelSource columns_of(const BFloat16*, std::int64_t, std::int64_t) { refuse(); }
PanelSource doubled_rows_of(const BFloat16*, std::int64_t) { refuse(); }
PairRows rounded_rows_of(const float*, std::int64_t, std::int64_t, AlignedBuffer<Pair>&) {
  refuse();
}
PairRows transposed_rows_of(const BFloat16*, std::int64_t, std::int64_t, AlignedBuffer<Pair>&) {
  refuse();
}

#endif

}  // namespace aurum::kernels

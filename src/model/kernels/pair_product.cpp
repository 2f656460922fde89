#include "model/kernels/pair_product.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/error.h"
#include "model/kernels/instruction_set.h"

#if AURUM_X86
#include <immintrin.h>
#endif

namespace aurum::model {

#if AURUM_X86

namespace {

constexpr std::int64_t kVectorRows = 16;  // outputs in a register
constexpr std::int64_t kStepColumns = 32;
constexpr int kMostInputs = 12;  // input rows whose sums stay in registers: 2 x 12 of the 32

// Transposes 16 x 16 pairs: row r of `from`, 32 columns each, becomes lane r of `to`, 16 vectors
// one after another, `to_stride` pairs apart. Rows from `rows` on and columns outside `mask` are 0.
AURUM_TARGET_AVX512_BFLOAT16 void transpose_pairs(const BFloat16* from, std::int64_t stride,
                                                  std::int64_t rows, __mmask32 mask,
                                                  std::uint32_t* to, std::int64_t to_stride) {
  __m512i a[16], b[16];
#pragma GCC unroll 16
  for (int r = 0; r < 16; ++r) {
    a[r] = r < rows ? _mm512_maskz_loadu_epi16(mask, from + r * stride) : _mm512_setzero_si512();
    // The block after this one: 16 short streams are too many for the processor to foresee.
    _mm_prefetch(reinterpret_cast<const char*>(from + (r + kPairRows) * stride), _MM_HINT_T1);
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
    _mm512_store_si512(to + c * to_stride, _mm512_shuffle_i32x4(low01, low23, 0x88));
    _mm512_store_si512(to + (4 + c) * to_stride, _mm512_shuffle_i32x4(low01, low23, 0xdd));
    _mm512_store_si512(to + (8 + c) * to_stride, _mm512_shuffle_i32x4(high01, high23, 0x88));
    _mm512_store_si512(to + (12 + c) * to_stride, _mm512_shuffle_i32x4(high01, high23, 0xdd));
  }
}

// Packs up to 32 rows: pair p of column lies as 32 neighbours, one per row.
AURUM_TARGET_AVX512_BFLOAT16 void pack_rows(const BFloat16* weights, std::int64_t rows,
                                            std::int64_t cols, std::uint32_t* packed) {
  for (std::int64_t k = 0; k < cols; k += kStepColumns) {
    const std::int64_t left = cols - k;
    const __mmask32 mask =
        left >= kStepColumns ? ~__mmask32{0} : static_cast<__mmask32>((1u << left) - 1);
    std::uint32_t* to = packed + k / 2 * kPairRows;
    for (std::int64_t half = 0; half < 2; ++half) {
      transpose_pairs(weights + half * kVectorRows * cols + k, cols, rows - half * kVectorRows,
                      mask, to + half * kVectorRows, kPairRows);
    }
  }
}

struct BlockProduct {
  const std::uint32_t* packed;  // [steps * 16, 32] pairs
  std::int64_t pairs;
  const BFloat16* input;
  std::int64_t input_stride;
  __m512 bias[2];
  __mmask16 store[2];
  float* out;
  std::int64_t out_stride;
};

template <int kInputs>
AURUM_TARGET_AVX512_BFLOAT16 void multiply_block(const BlockProduct& block, std::int64_t first) {
  const auto* input =
      reinterpret_cast<const std::int32_t*>(block.input + first * block.input_stride);
  const std::int64_t stride = block.input_stride / 2;
  __m512 sums[kInputs][2];
#pragma GCC unroll 16
  for (int i = 0; i < kInputs; ++i) sums[i][0] = sums[i][1] = _mm512_setzero_ps();
  for (std::int64_t p = 0; p < block.pairs; ++p) {
    const auto* weights = block.packed + p * kPairRows;
    const auto w0 = (__m512bh)_mm512_load_si512(weights);
    const auto w1 = (__m512bh)_mm512_load_si512(weights + kVectorRows);
#pragma GCC unroll 16
    for (int i = 0; i < kInputs; ++i) {
      const auto x = (__m512bh)_mm512_set1_epi32(input[i * stride + p]);
      sums[i][0] = _mm512_dpbf16_ps(sums[i][0], w0, x);
      sums[i][1] = _mm512_dpbf16_ps(sums[i][1], w1, x);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kInputs; ++i) {
    float* out = block.out + (first + i) * block.out_stride;
    _mm512_mask_storeu_ps(out, block.store[0], _mm512_add_ps(sums[i][0], block.bias[0]));
    _mm512_mask_storeu_ps(out + kVectorRows, block.store[1],
                          _mm512_add_ps(sums[i][1], block.bias[1]));
  }
}

using BlockFunction = void (*)(const BlockProduct&, std::int64_t);

template <std::size_t... kCounts>
constexpr std::array<BlockFunction, sizeof...(kCounts)> block_functions(
    std::index_sequence<kCounts...>) {
  return {multiply_block<static_cast<int>(kCounts) + 1>...};
}

constexpr auto kBlockFunctions = block_functions(std::make_index_sequence<kMostInputs>());

__mmask16 first_lanes(std::int64_t count) {
  return static_cast<__mmask16>((1u << std::clamp<std::int64_t>(count, 0, kVectorRows)) - 1);
}

AURUM_TARGET_AVX512_BFLOAT16 void run_block(const PairProduct& product, std::int64_t row,
                                            std::uint32_t* packed) {
  const std::int64_t rows = std::min(kPairRows, product.num_rows - row);
  pack_rows(product.weights + row * product.cols, rows, product.cols, packed);
  BlockProduct block{.packed = packed,
                     .pairs = (product.cols + 1) / 2,
                     .input = product.input,
                     .input_stride = pair_input_stride(product.cols),
                     .bias = {},
                     .store = {first_lanes(rows), first_lanes(rows - kVectorRows)},
                     .out = product.out + row,
                     .out_stride = product.out_stride};
  for (int half = 0; half < 2; ++half) {
    block.bias[half] = product.bias ? _mm512_maskz_loadu_ps(block.store[half],
                                                            product.bias + row + half * kVectorRows)
                                    : _mm512_setzero_ps();
  }
  // Near-equal parts, so that none is too short to fill the pipeline.
  const std::int64_t parts = (product.batch + kMostInputs - 1) / kMostInputs;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t begin = product.batch * part / parts;
    const std::int64_t end = product.batch * (part + 1) / parts;
    kBlockFunctions[static_cast<std::size_t>(end - begin - 1)](block, begin);
  }
}

}  // namespace

void pair_product(const PairProduct& product) {
  struct FreeAligned {
    void operator()(std::uint32_t* data) const { std::free(data); }
  };
  thread_local std::unique_ptr<std::uint32_t[], FreeAligned> packed;
  thread_local std::int64_t capacity = 0;
  const std::int64_t needed = pair_input_stride(product.cols) / 2 * kPairRows;
  if (needed > capacity) {
    packed.reset(static_cast<std::uint32_t*>(
        std::aligned_alloc(64, static_cast<std::size_t>(needed) * sizeof(std::uint32_t))));
    AURUM_CHECK(packed != nullptr, "no memory for {} columns", product.cols);
    capacity = needed;
  }
  for (std::int64_t row = 0; row < product.num_rows; row += kPairRows) {
    run_block(product, row, packed.get());
  }
}

#else

void pair_product(const PairProduct&) { AURUM_CHECK(false, "no AVX-512 BF16 here"); }

#endif

}  // namespace aurum::model

#include "model/kernels/linear.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "model/kernels/bfloat16.h"
#include "model/kernels/lanes.h"

#if AURUM_X86
#include <immintrin.h>
#endif

namespace aurum::model {

namespace {

// Up to kRowTile weight rows times all inputs: the weights are read from memory once, the inputs
// stay in the cache.
template <typename T>
struct Tile {
  const T* weights;  // [num_rows, cols]
  const T* input;    // [batch, cols]
  std::int64_t num_rows, cols, batch;
  const float* bias;  // null or [num_rows]
  float* out;         // [batch, out_stride], first column of this tile
  std::int64_t out_stride;
};

constexpr std::int64_t kRowTile = 4;

template <typename T>
AURUM_FORCE_INLINE void write_out(const Tile<T>& tile, std::int64_t row, std::int64_t b,
                                  float value) {
  tile.out[b * tile.out_stride + row] = tile.bias ? value + tile.bias[row] : value;
}

// kRows x kCols dot products at once, sixteen lanes each, then the tail in order.
template <int kRows, int kCols, typename T>
AURUM_FORCE_INLINE void dot_products(const Tile<T>& tile, std::int64_t row, std::int64_t b) {
  const std::int64_t cols = tile.cols;
  const T* w = tile.weights + row * cols;
  const T* x = tile.input + b * cols;
  FloatLanes sums[kRows][kCols] = {};
  std::int64_t k = 0;
  for (; k + kLanes <= cols; k += kLanes) {
    FloatLanes xs[kCols];
#pragma GCC unroll 8
    for (int j = 0; j < kCols; ++j) load_lanes(x + j * cols + k, xs[j]);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      FloatLanes ws;
      load_lanes(w + i * cols + k, ws);
#pragma GCC unroll 8
      for (int j = 0; j < kCols; ++j) sums[i][j] += ws * xs[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kCols; ++j) {
      float sum = sum_lanes(sums[i][j]);
      for (std::int64_t t = k; t < cols; ++t) {
        sum = __builtin_fmaf(to_float(w[i * cols + t]), to_float(x[j * cols + t]), sum);
      }
      write_out(tile, row + i, b + j, sum);
    }
  }
}

template <int kCols, typename T>
AURUM_FORCE_INLINE void run_tile(const Tile<T>& tile) {
  std::int64_t row = 0;
  for (; row + kRowTile <= tile.num_rows; row += kRowTile) {
    std::int64_t b = 0;
    for (; b + kCols <= tile.batch; b += kCols) dot_products<kRowTile, kCols>(tile, row, b);
    for (; b < tile.batch; ++b) dot_products<kRowTile, 1>(tile, row, b);
  }
  for (; row < tile.num_rows; ++row) {
    for (std::int64_t b = 0; b < tile.batch; ++b) dot_products<1, 1>(tile, row, b);
  }
}

template <typename T>
void run_tile_plain(const Tile<T>& tile) {
  run_tile<1>(tile);
}
template <typename T>
AURUM_TARGET_AVX2 void run_tile_avx2(const Tile<T>& tile) {
  run_tile<1>(tile);
}
template <typename T>
AURUM_TARGET_AVX512 void run_tile_avx512(const Tile<T>& tile) {
  run_tile<4>(tile);
}

#if AURUM_X86
// The same with the bfloat16 pair product, 32 values an instruction; a masked load ends the row.
template <int kRows, int kCols>
AURUM_TARGET_AVX512_BFLOAT16 void pair_dot_products(const Tile<BFloat16>& tile, std::int64_t row,
                                                    std::int64_t b) {
  const std::int64_t cols = tile.cols;
  const BFloat16* w = tile.weights + row * cols;
  const BFloat16* x = tile.input + b * cols;
  __m512 sums[kRows][kCols];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kCols; ++j) sums[i][j] = _mm512_setzero_ps();
  }
  for (std::int64_t k = 0; k < cols; k += 32) {
    const __mmask32 mask =
        cols - k >= 32 ? ~__mmask32{0} : static_cast<__mmask32>((1u << (cols - k)) - 1);
    __m512bh xs[kCols];
#pragma GCC unroll 8
    for (int j = 0; j < kCols; ++j) {
      xs[j] = (__m512bh)_mm512_maskz_loadu_epi16(mask, x + j * cols + k);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const __m512bh ws = (__m512bh)_mm512_maskz_loadu_epi16(mask, w + i * cols + k);
#pragma GCC unroll 8
      for (int j = 0; j < kCols; ++j) sums[i][j] = _mm512_dpbf16_ps(sums[i][j], ws, xs[j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kCols; ++j) {
      FloatLanes lanes;
      __builtin_memcpy(&lanes, &sums[i][j], sizeof(lanes));
      write_out(tile, row + i, b + j, sum_lanes(lanes));
    }
  }
}

AURUM_TARGET_AVX512_BFLOAT16 void run_tile_pairs(const Tile<BFloat16>& tile) {
  std::int64_t row = 0;
  for (; row + kRowTile <= tile.num_rows; row += kRowTile) {
    std::int64_t b = 0;
    for (; b + 4 <= tile.batch; b += 4) pair_dot_products<kRowTile, 4>(tile, row, b);
    for (; b < tile.batch; ++b) pair_dot_products<kRowTile, 1>(tile, row, b);
  }
  for (; row < tile.num_rows; ++row) {
    for (std::int64_t b = 0; b < tile.batch; ++b) pair_dot_products<1, 1>(tile, row, b);
  }
}
#endif

template <typename T>
using TileFunction = void (*)(const Tile<T>&);

template <typename T>
TileFunction<T> choose_tile_function(InstructionSet set) {
  switch (set) {
    case InstructionSet::kPlain:
      return run_tile_plain<T>;
    case InstructionSet::kAvx2:
      return run_tile_avx2<T>;
    case InstructionSet::kAvx512:
      return run_tile_avx512<T>;
    case InstructionSet::kAvx512BFloat16:
#if AURUM_X86
      if constexpr (std::is_same_v<T, BFloat16>) return run_tile_pairs;
#endif
      return run_tile_avx512<T>;
  }
  return run_tile_plain<T>;
}

// How many row tiles are worth waking another thread for: about 100 thousand multiplications.
std::int64_t tile_grain(std::int64_t cols, std::int64_t batch) {
  return std::max<std::int64_t>(1, 100000 / std::max<std::int64_t>(1, kRowTile * cols * batch));
}

template <typename T>
void linear_of(std::span<const WeightMatrix> parts, const T* input, std::int64_t batch, float* out,
               InstructionSet set) {
  const TileFunction<T> run = choose_tile_function<T>(set);
  const std::int64_t cols = parts.front().cols;
  std::int64_t out_stride = 0, num_tiles = 0;
  for (const WeightMatrix& part : parts) {
    out_stride += part.rows;
    num_tiles += (part.rows + kRowTile - 1) / kRowTile;
  }
  parallel_for(num_tiles, tile_grain(cols, batch), [&](std::int64_t begin, std::int64_t end) {
    std::int64_t first_tile = 0, first_column = 0;
    for (const WeightMatrix& part : parts) {
      const std::int64_t part_tiles = (part.rows + kRowTile - 1) / kRowTile;
      const std::int64_t row = std::max<std::int64_t>(begin - first_tile, 0) * kRowTile;
      const std::int64_t row_end = std::min(part.rows, (end - first_tile) * kRowTile);
      if (row < row_end) {
        run({.weights = static_cast<const T*>(part.data) + row * cols,
             .input = input,
             .num_rows = row_end - row,
             .cols = cols,
             .batch = batch,
             .bias = part.bias ? part.bias + row : nullptr,
             .out = out + first_column + row,
             .out_stride = out_stride});
      }
      first_tile += part_tiles;
      first_column += part.rows;
    }
  });
}

}  // namespace

void linear(std::span<const WeightMatrix> parts, const float* input, std::int64_t batch, float* out,
            InstructionSet set) {
  AURUM_CHECK(!parts.empty());
  const WeightMatrix& first = parts.front();
  for (const WeightMatrix& part : parts) {
    AURUM_CHECK(part.cols == first.cols && part.is_bfloat16 == first.is_bfloat16,
                "fused parts of {} and {} columns", first.cols, part.cols);
  }
  if (!first.is_bfloat16) return linear_of<float>(parts, input, batch, out, set);
  thread_local std::vector<BFloat16> rounded;
  rounded.resize(static_cast<std::size_t>(batch * first.cols));
  std::transform(input, input + batch * first.cols, rounded.begin(), to_bfloat16);
  linear_of<BFloat16>(parts, rounded.data(), batch, out, set);
}

}  // namespace aurum::model

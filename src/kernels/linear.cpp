#include "kernels/linear.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/bfloat16.h"
#include "kernels/lanes.h"
#include "kernels/pair_gemm.h"

namespace aurum::kernels {

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

template <typename T>
using TileFunction = void (*)(const Tile<T>& tile);

template <typename T>
TileFunction<T> choose_tile_function(InstructionSet set) {
  switch (set) {
    case InstructionSet::kPlain:
      return run_tile_plain<T>;
    case InstructionSet::kAvx2:
      return run_tile_avx2<T>;
    case InstructionSet::kAvx512:
    case InstructionSet::kAvx512BFloat16:
      return run_tile_avx512<T>;
  }
  return run_tile_plain<T>;
}

std::int64_t tiles_of(std::int64_t num_rows) { return (num_rows + kRowTile - 1) / kRowTile; }

// Tiles that a thread claims at a time: sixteen claims in all, so that a thread that is held up
// takes fewer, but none of less than about 100 thousand multiplications.
std::int64_t tiles_per_claim(std::int64_t num_tiles, std::int64_t tile_size) {
  const std::int64_t worth_it = 100000 / std::max<std::int64_t>(1, tile_size);
  return std::max({std::int64_t{1}, worth_it, (num_tiles + 15) / 16});
}

// Tiles [begin, end) of all parts, counted through.
template <typename T>
void run_tiles(std::span<const WeightMatrix> parts, const Tile<T>& all, TileFunction<T> run,
               std::int64_t begin, std::int64_t end) {
  std::int64_t first_tile = 0, first_column = 0;
  for (const WeightMatrix& part : parts) {
    const std::int64_t row = std::max<std::int64_t>(begin - first_tile, 0) * kRowTile;
    const std::int64_t row_end = std::min(part.rows, (end - first_tile) * kRowTile);
    if (row < row_end) {
      Tile<T> tile = all;
      tile.weights = static_cast<const T*>(part.data) + row * all.cols;
      tile.num_rows = row_end - row;
      tile.bias = part.bias ? part.bias + row : nullptr;
      tile.out = all.out + first_column + row;
      run(tile);
    }
    first_tile += tiles_of(part.rows);
    first_column += part.rows;
  }
}

template <typename T>
void linear_of(std::span<const WeightMatrix> parts, const T* input, std::int64_t batch, float* out,
               TileFunction<T> run) {
  Tile<T> all{.weights = nullptr,
              .input = input,
              .num_rows = 0,
              .cols = parts.front().cols,
              .batch = batch,
              .bias = nullptr,
              .out = out,
              .out_stride = 0};
  std::int64_t num_tiles = 0;
  for (const WeightMatrix& part : parts) {
    all.out_stride += part.rows;
    num_tiles += tiles_of(part.rows);
  }
  const std::int64_t claim = tiles_per_claim(num_tiles, kRowTile * all.cols * batch);
  parallel_for_each((num_tiles + claim - 1) / claim, [&](std::int64_t index) {
    run_tiles(parts, all, run, index * claim, std::min(num_tiles, (index + 1) * claim));
  });
}

void linear_of_pairs(std::span<const WeightMatrix> parts, const float* input, std::int64_t batch,
                     float* out) {
  thread_local AlignedBuffer<Pair> rounded;
  const std::int64_t cols = parts.front().cols, width = total_rows(parts);
  const PairRows a = rounded_rows_of(input, batch, cols, rounded);
  for (const WeightMatrix& part : parts) {
    pair_gemm({.rows = batch,
               .columns = part.rows,
               .depth = cols,
               .a = a,
               .panels = rows_as_columns(static_cast<const BFloat16*>(part.data), part.rows, cols),
               .bias = part.bias,
               .out = out,
               .out_stride = width});
    out += part.rows;
  }
}

}  // namespace

std::int64_t total_rows(std::span<const WeightMatrix> parts) {
  std::int64_t rows = 0;
  for (const WeightMatrix& part : parts) rows += part.rows;
  return rows;
}

void check_fused(std::span<const WeightMatrix> parts) {
  AURUM_CHECK(!parts.empty());
  for (const WeightMatrix& part : parts) {
    AURUM_CHECK(part.cols == parts.front().cols && part.is_bfloat16 == parts.front().is_bfloat16,
                "fused parts of {} and {} columns", parts.front().cols, part.cols);
  }
}

void linear(std::span<const WeightMatrix> parts, const float* input, std::int64_t batch, float* out,
            InstructionSet set) {
  check_fused(parts);
  const WeightMatrix& first = parts.front();
  if (!first.is_bfloat16) {
    linear_of<float>(parts, input, batch, out, choose_tile_function<float>(set));
  } else if (set == InstructionSet::kAvx512BFloat16) {
    linear_of_pairs(parts, input, batch, out);
  } else {
    thread_local std::vector<BFloat16> rounded;
    rounded.resize(static_cast<std::size_t>(batch * first.cols));
    std::transform(input, input + batch * first.cols, rounded.begin(), to_bfloat16);
    linear_of<BFloat16>(parts, rounded.data(), batch, out, choose_tile_function<BFloat16>(set));
  }
}

}  // namespace aurum::kernels

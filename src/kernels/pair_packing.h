#pragma once

#include <cstdint>
#include <functional>

#include "base/aligned_buffer.h"
#include "kernels/bfloat16.h"

// The operands of pair_gemm in the order in which it reads them. A pair is two bfloat16 values that
// are neighbours in the summed dimension, the first in the low half of a 32-bit word.
namespace aurum::kernels {

using Pair = std::uint32_t;

inline constexpr std::int64_t kPanelColumns = 64;  // columns of B that are multiplied together

inline std::int64_t pairs_of(std::int64_t depth) { return (depth + 1) / 2; }
inline std::int64_t panels_of(std::int64_t columns) {
  return (columns + kPanelColumns - 1) / kPanelColumns;
}

// Memory from which a block of a panel is packed: `rows` rows of `row_bytes`, `stride` bytes apart.
// May reach past the matrix: it is only brought to the cache.
struct PanelRegion {
  std::uintptr_t address = 0;
  std::int64_t rows = 0, row_bytes = 0, stride = 0;
};

// Panels of B that are packed on the way.
struct PanelSource {
  // Writes pairs [begin, end) of the panel: to[(p - begin) * 64 + c] is pair p of its column c;
  // zero where there is no column, or no second value. `to` begins at a cache line.
  std::function<void(std::int64_t panel, std::int64_t begin, std::int64_t end, Pair* to)> pack;
  // What pack() will read; may be null.
  std::function<PanelRegion(std::int64_t panel, std::int64_t begin, std::int64_t end)> region;
};

// Columns of B are rows of `matrix` [columns, depth], as in x W^T. Only with AVX-512 BF16.
void pack_rows_as_columns(const BFloat16* matrix, std::int64_t stride, std::int64_t columns,
                          std::int64_t depth, std::int64_t begin, std::int64_t end, Pair* to);
PanelSource rows_as_columns(const BFloat16* matrix, std::int64_t columns, std::int64_t depth);

// B is `matrix` [depth, columns] itself, as in dy W and dy^T x. Only with AVX-512 BF16.
PanelSource columns_of(const BFloat16* matrix, std::int64_t depth, std::int64_t columns);

// B is each row of `matrix` [rows, columns] twice: what meets values that A holds as pairs of a
// high and a low part. Only with AVX-512 BF16.
PanelSource doubled_rows_of(const BFloat16* matrix, std::int64_t columns);

// A in pairs: pair p of row r is data[(r / block_rows) * block_stride + (r % block_rows) *
// row_stride + p * pair_stride].
struct PairRows {
  const Pair* data;
  std::int64_t row_stride, pair_stride;
  std::int64_t block_rows, block_stride;
};

// A is `matrix` [rows, stride] as it lies; with an odd depth a zero follows each row. `stride` is
// even.
PairRows rows_of(const BFloat16* matrix, std::int64_t stride);

// A is `matrix` [rows, depth] rounded to bfloat16 into `storage`, which must outlive the result.
// Runs in parallel. Only with AVX-512 BF16, like what follows.
PairRows rounded_rows_of(const float* matrix, std::int64_t rows, std::int64_t depth,
                         AlignedBuffer<Pair>& storage);

// A is the transpose of `matrix` [depth, rows], packed into `storage`, which must outlive the
// result.
PairRows transposed_rows_of(const BFloat16* matrix, std::int64_t depth, std::int64_t rows,
                            AlignedBuffer<Pair>& storage);

}  // namespace aurum::kernels

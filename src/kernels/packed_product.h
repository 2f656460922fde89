#pragma once

#include <cstdint>
#include <vector>

#include "kernels/bfloat16.h"
#include "kernels/instruction_set.h"
#include "kernels/lanes.h"

// Small matrix products out of the cache, the work horse of attention over whole rows.
namespace aurum::kernels {

inline constexpr std::int64_t kColumnChunk = 16;  // columns that lie side by side when packed

inline std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

// Length of a packed [k, columns] matrix; both are padded with zeros to multiples of 16.
inline std::int64_t packed_size(std::int64_t k, std::int64_t columns) {
  return round_up(k, kColumnChunk) * round_up(columns, kColumnChunk);
}

// Packs b [k, columns] into chunks of 16 columns; a chunk holds its k values (in pairs for
// bfloat16) one after another. Row i of b begins at b + i * stride:
template <typename T>
void pack_rows(const T* b, std::int64_t stride, std::int64_t k, std::int64_t columns, T* packed,
               InstructionSet set);
// or its column j at b + j * stride.
template <typename T>
void pack_columns(const T* b, std::int64_t stride, std::int64_t k, std::int64_t columns, T* packed);

// The factor a [rows, k]: `kPack` values of row r from value k on lie at data + r * row_stride +
// k / kPack * step_stride.
template <typename T>
struct LeftFactor {
  const T* data;
  std::int64_t row_stride, step_stride = kPack<T>;
};

// The transpose of `matrix` [k, rows], with k rounded up to kPack by zeros. In bfloat16 it is made
// in `storage`; `rows` is a multiple of 16.
template <typename T>
LeftFactor<T> transposed_factor(const T* matrix, std::int64_t k, std::int64_t rows,
                                std::vector<T>& storage, InstructionSet set);

// out [rows, columns] = a [rows, k] * b, or += if `accumulates`. `k` counts from the first value
// that `packed` points to and is a multiple of kPack; `columns` is one of 16.
template <typename T>
struct PackedProduct {
  LeftFactor<T> a;
  const T* packed;
  std::int64_t chunk_stride;  // from one chunk of columns to the next: 16 * padded k
  std::int64_t rows, k, columns;
  float* out;
  std::int64_t out_stride;
  bool accumulates = false;
};

template <typename T>
using ProductFunction = void (*)(const PackedProduct<T>&);
template <typename T>
ProductFunction<T> choose_product(InstructionSet set);

}  // namespace aurum::kernels

#pragma once

#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/instruction_set.h"

// Small matrix products out of the cache, the work horse of attention over whole rows.
namespace aurum::kernels {

inline constexpr std::int64_t kColumnChunk = 16;  // columns that lie side by side when packed

// Values of k that one instruction multiplies: pairs in bfloat16.
template <typename T>
inline constexpr std::int64_t kPack = sizeof(T) == 2 ? 2 : 1;

inline std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

// Length of a packed [k, columns] matrix; both are padded with zeros to multiples of 16.
inline std::int64_t packed_size(std::int64_t k, std::int64_t columns) {
  return round_up(k, kColumnChunk) * round_up(columns, kColumnChunk);
}

// Packs b [k, columns], whose element (i, j) is b[i * row_stride + j * column_stride], into chunks
// of 16 columns; a chunk holds its k values (in pairs for bfloat16) one after another.
template <typename T>
void pack_columns(const T* b, std::int64_t row_stride, std::int64_t column_stride, std::int64_t k,
                  std::int64_t columns, T* packed);

// out [rows, columns] = a [rows, k] * b, or += if `accumulates`. `k` counts from the first value
// that `packed` points to and is a multiple of 16; `columns` is one too.
template <typename T>
struct PackedProduct {
  const T* a;
  std::int64_t a_stride;
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

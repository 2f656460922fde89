#pragma once

#include <cstdint>

#include "model/kernels/bfloat16.h"

// The product of bfloat16 weights with few or many rows of bfloat16 input, by the AVX-512 BF16 pair
// product; the work horse of generation.
namespace aurum::model {

inline constexpr std::int64_t kPairRows = 32;  // weight rows that are multiplied together

// Input rows lie round_up(cols, 32) apart, and are zero from `cols` on.
inline std::int64_t pair_input_stride(std::int64_t cols) { return (cols + 31) / 32 * 32; }

// out[b * out_stride + r] = bias[r] + weights[r, :] . input[b, :] for r < num_rows, b < batch.
//
// 32 weight rows at a time are transposed into the cache, so that each is read from memory once and
// a register holds 16 outputs. Every output adds its pairs of columns in the order of the columns,
// whatever the batch: a row of a batch has the bits of the row alone.
struct PairProduct {
  const BFloat16* weights;  // [num_rows, cols]
  const BFloat16* input;    // [batch, pair_input_stride(cols)]
  std::int64_t num_rows, cols, batch;
  const float* bias;  // null or [num_rows]
  float* out;
  std::int64_t out_stride;
};

// Only where best_instruction_set() is kAvx512BFloat16.
void pair_product(const PairProduct& product);

}  // namespace aurum::model

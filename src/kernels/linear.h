#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/instruction_set.h"

namespace aurum::kernels {

// Borrowed weights [rows, cols], row-major and dense, float32 or bfloat16. `bias` is null or
// holds `rows` values.
struct WeightMatrix {
  const void* data = nullptr;
  bool is_bfloat16 = false;
  std::int64_t rows = 0, cols = 0;
  const float* bias = nullptr;
};

// Weight rows of all parts; they share columns and dtype, or an AURUM_CHECK fails.
std::int64_t total_rows(std::span<const WeightMatrix> parts);
void check_fused(std::span<const WeightMatrix> parts);

// out[b, :] = concat over parts of (part * input[b, :] + bias), for b < batch.
//   input [batch, cols] and out [batch, sum of rows], dense float32
// All parts share cols and dtype; fusing them saves a round over the threads. With bfloat16
// weights the input is rounded to bfloat16 first and products are summed in float32.
//
// Each output is one dot product whose order of additions depends on `cols` and `set` only, never
// on the batch or the number of threads: a row of a batch has the same bits as the row alone.
void linear(std::span<const WeightMatrix> parts, const float* input, std::int64_t batch, float* out,
            InstructionSet set = best_instruction_set());

}  // namespace aurum::kernels

#pragma once

#include <cstdint>

#include "model/kernels/bfloat16.h"
#include "model/kernels/instruction_set.h"

namespace aurum::model {

// RMS norm over many rows, with a residual sum in front and its gradient behind, in one pass each.
template <typename T>
struct RmsNormRows {
  std::int64_t rows = 0, size = 0;
  const T* weight = nullptr;  // [size]
  bool adds_one = false;      // 1 + w instead of w
  bool rounds_last = false;   // else x / rms(x) is rounded to T before it meets the weight
  float eps = 1e-6f;
};

// sum = x + branch (rounded to T), out = norm(sum), inverse_rms [rows]. `branch` null: out =
// norm(x) and `sum` is not written.
template <typename T>
void rms_norm_rows(const RmsNormRows<T>& norm, const T* x, const T* branch, T* sum, T* out,
                   float* inverse_rms, InstructionSet set = best_instruction_set());

// x_gradient = d(norm)/dx (out_gradient) + sum_gradient (null: none); adds nothing else.
// weight_gradient [size] in float32 is overwritten; its order of additions depends on the number of
// threads. `x` is what was normalised.
template <typename T>
void rms_norm_rows_backward(const RmsNormRows<T>& norm, const T* x, const float* inverse_rms,
                            const T* out_gradient, const T* sum_gradient, T* x_gradient,
                            float* weight_gradient, InstructionSet set = best_instruction_set());

}  // namespace aurum::model

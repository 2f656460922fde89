#pragma once

#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/instruction_set.h"

namespace aurum::kernels {

// RMS norm over many rows, with a residual sum in front and its gradient behind, in one pass each.
template <typename T>
struct RmsNormRows {
  std::int64_t rows = 0, size = 0;
  const T* weight = nullptr;  // [size]
  bool adds_one = false;      // 1 + w instead of w
  bool rounds_last = false;   // else x / rms(x) is rounded before it meets the weight
  float eps = 1e-6f;
};

// S is the residual stream's type, T that of the weight, the branch and the output: (float, float),
// (BFloat16, BFloat16) or (float, BFloat16).
//
// sum = x + branch (rounded to S), out = norm(sum), inverse_rms [rows]. `branch` null: out =
// norm(x) and `sum` is not written. Unless rounds_last, x / rms(x) is rounded to S.
template <typename S, typename T>
void rms_norm_rows(const RmsNormRows<T>& norm, const S* x, const T* branch, S* sum, T* out,
                   float* inverse_rms, InstructionSet set = best_instruction_set());

// What comes in and goes out of the backward pass.
template <typename S, typename T>
struct RmsNormGradients {
  const T* out = nullptr;
  const S* sum = nullptr;   // null: none
  S* x = nullptr;           // d(norm)/dx (out) + sum
  T* branch = nullptr;      // the same, rounded to T; or null
  float* weight = nullptr;  // [size], overwritten; the order of additions depends on the threads
};

// `x` is what was normalised.
template <typename S, typename T>
void rms_norm_rows_backward(const RmsNormRows<T>& norm, const S* x, const float* inverse_rms,
                            const RmsNormGradients<S, T>& gradients,
                            InstructionSet set = best_instruction_set());

}  // namespace aurum::kernels

#pragma once

#include <cstdint>
#include <span>

#include "kernels/bfloat16.h"
#include "kernels/instruction_set.h"

namespace aurum::kernels {

// Causal attention over whole rows that lie end to end, for scoring and training. q and k are
// rotated on the way in, so that nothing but qkv itself must be kept for the backward pass.
struct RowAttention {
  std::int64_t num_heads = 0, num_kv_heads = 0, head_dim = 0;
  float scale = 1.0f;       // multiplies q.k
  float softcap = 0.0f;     // s -> c tanh(s / c); 0 = off
  std::int64_t window = 0;  // keys that a token sees, itself included; 0 = all earlier ones
  // [tokens, rotary_half] each; dimension i turns with i + rotary_half. Null: no positions.
  const float* cos = nullptr;
  const float* sin = nullptr;
  std::int64_t rotary_half = 0;
  const float* sinks = nullptr;  // [heads] logits of a softmax column without a value, or null
  std::span<const std::int64_t> row_offsets;  // rows + 1 token numbers

  std::int64_t qkv_stride() const { return (num_heads + 2 * num_kv_heads) * head_dim; }
  std::int64_t out_stride() const { return num_heads * head_dim; }
};

// qkv [tokens, (heads + 2 kv_heads) * head_dim]; out [tokens, heads * head_dim];
// log_sums [tokens, heads]: log of each softmax's denominator, for the backward pass.
// T is float or BFloat16; scores and softmax are float32. Rows run on all threads; a row's result
// does not depend on the others.
template <typename T>
void attend_rows(const RowAttention& attention, const T* qkv, T* out, float* log_sums,
                 InstructionSet set = best_instruction_set());

// The gradient of qkv from that of `out`. Sinks get none.
template <typename T>
void attend_rows_backward(const RowAttention& attention, const T* qkv, const T* out,
                          const float* log_sums, const T* out_gradient, T* qkv_gradient,
                          InstructionSet set = best_instruction_set());

}  // namespace aurum::kernels

#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "model/layers/norm.h"
#include "model/layers/rotary.h"

namespace aurum::model {

// What an attention layer does between its two products.
struct AttentionLayer {
  std::int64_t num_heads = 0, num_kv_heads = 0, head_dim = 0;
  double scale = 1.0;
  double softcap = 0.0;     // s -> c tanh(s / c) before the mask; 0 = off
  std::int64_t window = 0;  // keys that a token sees, itself included; 0 = all earlier ones
  Norm query_norm, key_norm;
  at::Tensor sinks;  // [heads]: logits of one more softmax column without a value; or undefined
};

// Causal attention inside each row. qkv is [tokens, (heads + 2 kv_heads) * head_dim]; `rotary` is
// null for layers without positions. Returns [tokens, heads * head_dim].
at::Tensor attend(const AttentionLayer& layer, const at::Tensor& qkv, const RotaryTable* rotary,
                  const std::vector<std::int64_t>& row_offsets);

// The same by ATen operators: what the kernel is compared with, and what other devices use.
at::Tensor attend_plainly(const AttentionLayer& layer, const at::Tensor& qkv,
                          const RotaryTable* rotary, const std::vector<std::int64_t>& row_offsets);

}  // namespace aurum::model

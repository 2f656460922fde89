#include "model/layers/attention.h"

#include <ATen/ATen.h>

namespace aurum::model {

namespace {

at::Tensor heads_first(const at::Tensor& x) { return x.transpose(0, 1); }

// True where query i sees key j.
at::Tensor visible_keys(std::int64_t tokens, std::int64_t window, const at::Device& device) {
  const at::Tensor ones = at::ones({tokens, tokens}, at::TensorOptions(device).dtype(at::kBool));
  const at::Tensor causal = ones.tril();
  return window > 0 ? causal.logical_and(ones.triu(1 - window)) : causal;
}

// Softmax over scores and sinks in float32, as the eager form of transformers.
at::Tensor attend_row_plainly(const AttentionLayer& layer, const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v) {
  const std::int64_t tokens = q.size(1);
  at::Tensor scores = q.matmul(k.transpose(1, 2)) * layer.scale;
  if (layer.softcap > 0) scores = (scores / layer.softcap).tanh() * layer.softcap;
  const at::Tensor hidden = visible_keys(tokens, layer.window, q.device()).logical_not();
  scores = scores.to(at::kFloat).masked_fill(hidden, -std::numeric_limits<float>::infinity());
  if (layer.sinks.defined()) {
    const at::Tensor sinks = layer.sinks.to(at::kFloat).view({-1, 1, 1}).expand({-1, tokens, 1});
    scores = at::cat({scores, sinks}, -1);
  }
  const at::Tensor probabilities = scores.softmax(-1).slice(-1, 0, tokens).to(v.scalar_type());
  return probabilities.matmul(v);
}

at::Tensor attend_row(const AttentionLayer& layer, const at::Tensor& q, const at::Tensor& k,
                      const at::Tensor& v) {
  if (layer.softcap > 0 || layer.sinks.defined()) return attend_row_plainly(layer, q, k, v);
  std::optional<at::Tensor> mask;
  if (layer.window > 0 && q.size(1) > layer.window) {
    mask = visible_keys(q.size(1), layer.window, q.device());
  }
  return at::scaled_dot_product_attention(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0), mask, 0.0,
                                          !mask.has_value(), layer.scale)
      .squeeze(0);
}

}  // namespace

at::Tensor attend(const AttentionLayer& layer, const at::Tensor& qkv, const RotaryTable* rotary,
                  const std::vector<std::int64_t>& row_offsets) {
  const std::int64_t tokens = qkv.size(0), dim = layer.head_dim;
  const std::int64_t group = layer.num_heads / layer.num_kv_heads;
  const auto parts = qkv.view({tokens, -1, dim})
                         .split({layer.num_heads, layer.num_kv_heads, layer.num_kv_heads}, 1);
  at::Tensor q = parts[0], k = parts[1], v = parts[2];
  if (layer.query_norm.exists()) q = layer.query_norm(q);
  if (layer.key_norm.exists()) k = layer.key_norm(k);
  if (rotary) {
    q = apply_rotary(q, *rotary);
    k = apply_rotary(k, *rotary);
  }
  if (group > 1) {
    k = k.repeat_interleave(group, 1);
    v = v.repeat_interleave(group, 1);
  }
  std::vector<at::Tensor> rows;
  for (std::size_t row = 0; row + 1 < row_offsets.size(); ++row) {
    const auto slice = [&](const at::Tensor& x) {
      return heads_first(x.slice(0, row_offsets[row], row_offsets[row + 1]));
    };
    rows.push_back(heads_first(attend_row(layer, slice(q), slice(k), slice(v))));
  }
  return at::cat(rows).reshape({tokens, layer.num_heads * dim});
}

}  // namespace aurum::model

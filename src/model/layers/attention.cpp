#include "model/layers/attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "kernels/row_attention.h"
#include "model/layers/kernel_types.h"

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

// The kernel's view of a layer; `sinks` and `row_offsets` must outlive it.
kernels::RowAttention kernel_shape(const AttentionLayer& layer, const at::Tensor& cos,
                                   const at::Tensor& sin, const at::Tensor& sinks,
                                   const std::vector<std::int64_t>& row_offsets) {
  kernels::RowAttention shape{.num_heads = layer.num_heads,
                              .num_kv_heads = layer.num_kv_heads,
                              .head_dim = layer.head_dim,
                              .scale = static_cast<float>(layer.scale),
                              .softcap = static_cast<float>(layer.softcap),
                              .window = layer.window,
                              .row_offsets = row_offsets};
  if (sinks.defined()) shape.sinks = sinks.const_data_ptr<float>();
  if (cos.defined()) {
    shape.cos = cos.const_data_ptr<float>();
    shape.sin = sin.const_data_ptr<float>();
    shape.rotary_half = cos.size(1);
  }
  return shape;
}

at::Tensor float_sinks(const AttentionLayer& layer) {
  return layer.sinks.defined() ? layer.sinks.to(at::kFloat).contiguous() : at::Tensor();
}

// Keeps qkv, the result and the log sums; scores are computed again in the backward pass.
class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& qkv,
                            const AttentionLayer* layer, const RotaryTable* rotary,
                            const std::vector<std::int64_t>* row_offsets) {
    const RotaryTable table = rotary ? *rotary : RotaryTable{};
    const at::Tensor sinks = float_sinks(*layer);
    const kernels::RowAttention shape =
        kernel_shape(*layer, table.cos, table.sin, sinks, *row_offsets);
    at::Tensor out = at::empty({qkv.size(0), shape.out_stride()}, qkv.options());
    at::Tensor log_sums =
        at::empty({qkv.size(0), layer->num_heads}, qkv.options().dtype(at::kFloat));
    with_kernel_type(qkv, [&]<typename T>(T) {
      kernels::attend_rows(shape, kernel_data<T>(qkv), mutable_kernel_data<T>(out),
                           log_sums.mutable_data_ptr<float>());
    });
    context->save_for_backward({qkv, out, log_sums, table.cos, table.sin});
    context->saved_data["layer"] = reinterpret_cast<std::int64_t>(layer);
    context->saved_data["row_offsets"] = *row_offsets;
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &qkv = saved[0], &out = saved[1], &log_sums = saved[2];
    const auto* layer =
        reinterpret_cast<const AttentionLayer*>(context->saved_data["layer"].toInt());
    AURUM_CHECK(!layer->sinks.defined(), "attention sinks have no gradient");
    const auto row_offsets = context->saved_data["row_offsets"].toIntVector();
    const kernels::RowAttention shape = kernel_shape(*layer, saved[3], saved[4], {}, row_offsets);
    const at::Tensor dout = gradients[0].contiguous();
    at::Tensor dqkv = at::empty_like(qkv);
    with_kernel_type(qkv, [&]<typename T>(T) {
      kernels::attend_rows_backward(shape, kernel_data<T>(qkv), kernel_data<T>(out),
                                    log_sums.const_data_ptr<float>(), kernel_data<T>(dout),
                                    mutable_kernel_data<T>(dqkv));
    });
    return {dqkv, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

at::Tensor with_normed_heads(const AttentionLayer& layer, const at::Tensor& qkv) {
  if (!layer.query_norm.exists()) return qkv;
  const std::int64_t tokens = qkv.size(0);
  const auto parts = qkv.view({tokens, -1, layer.head_dim})
                         .split({layer.num_heads, layer.num_kv_heads, layer.num_kv_heads}, 1);
  return at::cat({layer.query_norm(parts[0]), layer.key_norm(parts[1]), parts[2]}, 1)
      .view({tokens, -1});
}

}  // namespace

at::Tensor attend(const AttentionLayer& layer, const at::Tensor& qkv, const RotaryTable* rotary,
                  const std::vector<std::int64_t>& row_offsets) {
  if (!qkv.is_cpu()) return attend_plainly(layer, qkv, rotary, row_offsets);
  const at::Tensor normed = with_normed_heads(layer, qkv).contiguous();
  return AttentionFunction::apply(normed, &layer, rotary, &row_offsets);
}

at::Tensor attend_plainly(const AttentionLayer& layer, const at::Tensor& qkv,
                          const RotaryTable* rotary, const std::vector<std::int64_t>& row_offsets) {
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

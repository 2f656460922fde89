#include "model/transformer_weights.h"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

#include "base/error.h"
#include "model/adapter_builder.h"
#include "model/families/tensor_names.h"
#include "model/layers/matrix_products.h"

namespace aurum::model {

namespace {

using weights::Checkpoint;
using weights::ModelConfig;

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const LoadOptions& options)
      : checkpoint_(checkpoint),
        config_(checkpoint.config()),
        options_(options),
        dtype_(options.dtype == ComputeDType::kFloat32 ? at::kFloat : at::kBFloat16),
        names_(tensor_names(config_)) {
    if (!options.adapter) return;
    adapter_.emplace(*options.adapter, names_.input_major);
    adapter_->refuse(names_.embedding);
    adapter_->refuse(names_.head);
  }

  TransformerWeights load() {
    TransformerWeights model;
    const std::int64_t hidden = config_.hidden_size;
    const bool keep_blocks = options_.keep_quantized && !options_.adapter;
    model.embedding = linear({names_.embedding}, {config_.vocab_size}, hidden, keep_blocks);
    if (!names_.positions.empty()) {
      model.positions =
          leaf(names_.positions + ".weight", {config_.max_position_embeddings, hidden});
    }
    for (std::int64_t i = 0; i < config_.num_layers; ++i) model.layers.push_back(layer(i));
    model.final_norm = norm(names_.final_norm, hidden);
    if (!config_.tie_word_embeddings && checkpoint_.contains(names_.head + ".weight")) {
      model.head = linear({names_.head}, {config_.vocab_size}, hidden, keep_blocks);
    }
    model.leaves = std::move(leaves_);
    model.frozen = std::move(frozen_);
    if (adapter_) {
      model.adapter_config = adapter_->finish();
      model.dropout = adapter_->dropout();
    }
    return model;
  }

 private:
  TransformerLayer layer(std::int64_t index) {
    const auto i = static_cast<std::size_t>(index);
    const LayerNames& names = names_.layers[i];
    const std::int64_t hidden = config_.hidden_size, q_size = config_.num_heads * config_.head_dim;
    TransformerLayer layer;
    layer.input_norm = norm(names.input_norm, hidden);
    layer.qkv = layer_linear(names.qkv, qkv_rows(names), hidden);
    layer.attention = attention(index);
    layer.output = layer_linear({names.output}, {hidden}, q_size);
    layer.post_attention_norm = norm(names.post_attention_norm, hidden);
    layer.mlp_norm = norm(names.mlp_norm, hidden);
    layer.is_sparse = weights::is_sparse(config_, index);
    if (layer.is_sparse) {
      layer.experts = experts(names);
    } else {
      layer.mlp = mlp(names.mlp, config_.intermediate_size);
    }
    layer.post_mlp_norm = norm(names.post_mlp_norm, hidden);
    layer.uses_rope =
        !config_.learned_positions && (config_.uses_rope.empty() || config_.uses_rope[i]);
    layer.uses_sliding_rope = layer.attention.window > 0 && config_.sliding_rope.has_value();
    return layer;
  }

  std::vector<std::int64_t> qkv_rows(const LayerNames& names) const {
    const std::int64_t q = config_.num_heads * config_.head_dim;
    const std::int64_t kv = config_.num_kv_heads * config_.head_dim;
    if (names.qkv.size() == 1) return {q + 2 * kv};
    return {q, kv, kv};
  }

  AttentionLayer attention(std::int64_t index) {
    const auto i = static_cast<std::size_t>(index);
    const LayerNames& names = names_.layers[i];
    AttentionLayer layer{.num_heads = config_.num_heads,
                         .num_kv_heads = config_.num_kv_heads,
                         .head_dim = config_.head_dim,
                         .scale = weights::attention_scale(config_, index),
                         .softcap = config_.attention_softcap.value_or(0.0)};
    if (i < config_.sliding_window.size()) layer.window = config_.sliding_window[i];
    layer.query_norm = norm(names.query_norm, config_.head_dim);
    layer.key_norm = norm(names.key_norm, config_.head_dim);
    if (!names.sinks.empty()) layer.sinks = leaf(names.sinks, {config_.num_heads});
    return layer;
  }

  Mlp mlp(const MlpNames& names, std::int64_t inner) {
    const std::int64_t hidden = config_.hidden_size;
    const auto parts = static_cast<std::int64_t>(names.gate_up.size());
    const std::int64_t rows = (config_.gated_mlp ? 2 : 1) * inner / parts;
    return {.gate_up = layer_linear(names.gate_up,
                                    std::vector<std::int64_t>(names.gate_up.size(), rows), hidden),
            .down = layer_linear({names.down}, {hidden}, inner)};
  }

  Experts experts(const LayerNames& names) {
    if (options_.trainable) {
      throw InputError(fmt::format(
          "config.json: /model_type \"{}\" has sparse layers and can teach but not be trained",
          config_.model_type));
    }
    Experts experts;
    experts.router =
        layer_linear({names.router}, {config_.experts->num_experts}, config_.hidden_size);
    for (const MlpNames& expert : names.experts) {
      experts.experts.push_back(mlp(expert, config_.experts->intermediate_size));
    }
    return experts;
  }

  Norm norm(const std::string& name, std::int64_t size) {
    if (name.empty()) return {};
    Norm norm{.kind = {.is_layer_norm = config_.layer_norm,
                       .adds_one = config_.norm_adds_one,
                       .rounds_last = config_.norm_rounds_last,
                       .eps = config_.norm_eps}};
    norm.weight = leaf(name + ".weight", {size});
    if (config_.layer_norm) norm.bias = leaf(name + ".bias", {size});
    return norm;
  }

  // A tensor that is a parameter by itself.
  at::Tensor leaf(const std::string& name, std::vector<std::int64_t> shape) {
    at::Tensor tensor =
        expand(checkpoint_.tensor(name, std::move(shape)), dtype_).to(options_.device);
    add_leaf(name, tensor);
    return tensor;
  }

  void add_leaf(const std::string& name, at::Tensor& tensor) {
    if (options_.adapter) frozen_.push_back({.name = name, .tensor = tensor, .blocks = {}});
    if (!trains_weights()) return;
    tensor.requires_grad_(true);
    leaves_.push_back({name, tensor});
  }

  bool trains_weights() const { return options_.trainable && !options_.adapter; }

  Linear layer_linear(const std::vector<std::string>& stems, const std::vector<std::int64_t>& rows,
                      std::int64_t columns) {
    Linear whole = names_.input_major ? input_major_linear(stems.front(), rows.front(), columns)
                                      : linear(stems, rows, columns, options_.keep_quantized);
    if (adapter_) add_low_rank(stems, rows, columns, whole);
    return whole;
  }

  void add_low_rank(const std::vector<std::string>& stems, const std::vector<std::int64_t>& rows,
                    std::int64_t columns, Linear& whole) {
    std::int64_t row = 0;
    for (std::size_t i = 0; i < stems.size(); ++i) {
      if (auto part = adapter_->make(stems[i], row, rows[i], columns)) {
        add_adapter_leaf(stems[i] + ".lora_A.weight", part->a);
        add_adapter_leaf(stems[i] + ".lora_B.weight", part->b);
        whole.low_rank.push_back(std::move(*part));
      }
      row += rows[i];
    }
  }

  void add_adapter_leaf(const std::string& name, at::Tensor& tensor) {
    tensor = tensor.to(dtype_).to(options_.device).requires_grad_(options_.trainable);
    leaves_.push_back({name, tensor});
  }

  Linear input_major_linear(const std::string& stem, std::int64_t rows, std::int64_t columns) {
    Linear linear{.input_major = true};
    const auto view = checkpoint_.tensor(stem + ".weight", {{columns, rows}});
    linear.weight = expand(view, dtype_).to(options_.device);
    split_into_leaves({stem}, ".weight", {columns}, linear.weight, linear.weight_leaves);
    load_bias({stem}, {rows}, linear);
    return linear;
  }

  Linear linear(const std::vector<std::string>& stems, const std::vector<std::int64_t>& rows,
                std::int64_t columns, bool keep_blocks) {
    Linear linear;
    std::vector<weights::TensorView> views;
    for (std::size_t i = 0; i < stems.size(); ++i) {
      views.push_back(checkpoint_.tensor(stems[i] + ".weight", {{rows[i], columns}}));
    }
    const bool has_blocks = std::any_of(views.begin(), views.end(), [](const auto& view) {
      return weights::is_block_quantized(view.dtype);
    });
    if (keep_blocks && has_blocks) {
      for (std::size_t i = 0; options_.adapter && i < stems.size(); ++i) {
        frozen_.push_back({.name = stems[i] + ".weight", .tensor = {}, .blocks = views[i]});
      }
      linear.blocks = std::move(views);
    } else {
      linear.weight = stack(views, columns).to(options_.device);
      split_into_leaves(stems, ".weight", rows, linear.weight, linear.weight_leaves);
    }
    load_bias(stems, rows, linear);
    return linear;
  }

  at::Tensor stack(const std::vector<weights::TensorView>& views, std::int64_t columns) const {
    std::int64_t rows = 0;
    for (const auto& view : views) rows += view.shape[0];
    at::Tensor out = at::empty({rows, columns}, dtype_);
    std::int64_t row = 0;
    for (const auto& view : views) {
      expand_into(view, 0, out.slice(0, row, row + view.shape[0]));
      view.drop_pages();
      row += view.shape[0];
    }
    return out;
  }

  void load_bias(const std::vector<std::string>& stems, const std::vector<std::int64_t>& rows,
                 Linear& linear) {
    if (!checkpoint_.contains(stems.front() + ".bias")) return;
    std::vector<at::Tensor> parts;
    for (std::size_t i = 0; i < stems.size(); ++i) {
      parts.push_back(expand(checkpoint_.tensor(stems[i] + ".bias", {{rows[i]}}), dtype_));
    }
    linear.bias = at::cat(parts).to(options_.device);
    split_into_leaves(stems, ".bias", rows, linear.bias, linear.bias_leaves);
  }

  void split_into_leaves(const std::vector<std::string>& stems, const char* suffix,
                         const std::vector<std::int64_t>& rows, const at::Tensor& whole,
                         std::vector<Leaf>& leaves) {
    if (!options_.trainable) return;
    std::int64_t row = 0;
    for (std::size_t i = 0; i < stems.size(); ++i) {
      at::Tensor part = whole.slice(0, row, row + rows[i]).detach();
      row += rows[i];
      add_leaf(stems[i] + suffix, part);
      if (trains_weights()) leaves.push_back({stems[i] + suffix, part});
    }
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const LoadOptions& options_;
  at::ScalarType dtype_;
  TensorNames names_;
  std::vector<Leaf> leaves_;
  std::vector<FrozenTensor> frozen_;
  std::optional<AdapterBuilder> adapter_;
};

}  // namespace

TransformerWeights without_adapter(TransformerWeights weights) {
  for (TransformerLayer& layer : weights.layers) {
    for (Linear* linear : {&layer.qkv, &layer.output, &layer.mlp.gate_up, &layer.mlp.down}) {
      linear->low_rank.clear();
    }
  }
  weights.leaves.clear();
  weights.adapter_config.reset();
  weights.dropout.reset();
  return weights;
}

TransformerWeights load_transformer_weights(const Checkpoint& checkpoint,
                                            const LoadOptions& options) {
  return Loader(checkpoint, options).load();
}

}  // namespace aurum::model

// The dense decoder-only transformer that llama, qwen2, qwen3 and gemma3_text share. What differs
// between them is data in weights::ModelConfig.

#include <cmath>
#include <cstring>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/files.h"
#include "model/causal_lm.h"
#include "model/layers/checkpointing.h"
#include "model/layers/linear.h"
#include "model/layers/rotary.h"

namespace aurum::model {

namespace {

using weights::Checkpoint;
using weights::ModelConfig;

struct Layer {
  Linear query, key, value, output, gate, up, down;
  at::Tensor input_norm, mlp_norm, post_attention_norm, post_mlp_norm, query_norm, key_norm;
  std::int64_t window = 0;  // 0 = full attention
  bool uses_sliding_rope = false;
  bool uses_rope = true;
};

// Llama rounds the normalised value before it multiplies by the weight; Gemma multiplies by
// (1 + w) in float32 and rounds last.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, const ModelConfig& config) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor normed = wide * at::rsqrt(wide.pow(2).mean(-1, true) + config.norm_eps);
  if (config.norm_adds_one) return (normed * (1.0 + weight.to(at::kFloat))).to(x.scalar_type());
  return normed.to(x.scalar_type()) * weight;
}

// Attention within one row; q [tokens, heads, dim], k and v [tokens, kv_heads, dim].
at::Tensor attend_row(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                      std::int64_t window, double scale) {
  const std::int64_t tokens = q.size(0), group = q.size(1) / k.size(1);
  const auto heads_first = [](const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); };
  const at::Tensor keys = heads_first(group == 1 ? k : k.repeat_interleave(group, 1));
  const at::Tensor values = heads_first(group == 1 ? v : v.repeat_interleave(group, 1));
  std::optional<at::Tensor> mask;
  if (window > 0 && tokens > window) {
    const at::Tensor ones = at::ones({tokens, tokens}, at::kBool);
    mask = ones.tril().logical_and(ones.triu(1 - window));
  }
  const at::Tensor attended = at::scaled_dot_product_attention(heads_first(q), keys, values, mask,
                                                               0.0, !mask.has_value(), scale);
  return attended.squeeze(0).transpose(0, 1);
}

struct ForwardContext {
  const std::vector<std::int64_t>& row_offsets;
  RotaryTable rotary, sliding_rotary;
};

class Transformer : public CausalLm {
 public:
  Transformer(const Checkpoint& checkpoint, const LoadOptions& options);

  const ModelConfig& config() const override { return config_; }
  at::Tensor hidden_states(const PackedBatch& batch) override;
  at::Tensor logits(const at::Tensor& hidden) override;
  at::Tensor head_weight() override;
  at::Tensor head_rows(std::int64_t begin, std::int64_t end) override;
  std::vector<NamedParameter> parameters() override { return parameters_; }
  void set_gradient_checkpointing(bool enabled) override { checkpointing_ = enabled; }

 private:
  Linear load_linear(const Checkpoint& checkpoint, const std::string& name, std::int64_t out,
                     std::int64_t in);
  at::Tensor load_tensor(const Checkpoint& checkpoint, const std::string& name,
                         std::vector<std::int64_t> shape);
  Layer load_layer(const Checkpoint& checkpoint, std::int64_t index);
  void register_parameters();

  at::Tensor embed(const PackedBatch& batch) const;
  at::Tensor run_layer(const Layer& layer, const at::Tensor& x,
                       const ForwardContext& context) const;
  at::Tensor attend(const Layer& layer, const at::Tensor& x, const ForwardContext& context) const;
  at::Tensor run_mlp(const Layer& layer, const at::Tensor& x) const;
  const Linear& head() const { return head_ ? *head_ : embedding_; }

  ModelConfig config_;
  LoadOptions options_;
  at::ScalarType dtype_;
  Linear embedding_;
  std::optional<Linear> head_;  // absent when tied
  std::vector<Layer> layers_;
  at::Tensor final_norm_;
  std::vector<NamedParameter> parameters_;
  bool checkpointing_ = false;
};

void check_supported(const ModelConfig& config) {
  check_rope(config.rope);
  if (config.layer_norm || config.learned_positions || config.fused_qkv || config.fused_gate_up ||
      !config.gated_mlp || config.attention_softcap) {
    throw FormatError(
        fmt::format("config.json: /model_type \"{}\" cannot be scored or trained yet; supported: "
                    "llama, mistral, "
                    "qwen2, qwen3, smollm3, gemma3_text",
                    config.model_type));
  }
}

Transformer::Transformer(const Checkpoint& checkpoint, const LoadOptions& options)
    : config_(checkpoint.config()),
      options_(options),
      dtype_(options.dtype == ComputeDType::kFloat32 ? at::kFloat : at::kBFloat16) {
  check_supported(config_);
  embedding_ =
      load_linear(checkpoint, "model.embed_tokens", config_.vocab_size, config_.hidden_size);
  for (std::int64_t i = 0; i < config_.num_layers; ++i) {
    layers_.push_back(load_layer(checkpoint, i));
  }
  final_norm_ = load_tensor(checkpoint, "model.norm.weight", {config_.hidden_size});
  if (!config_.tie_word_embeddings && checkpoint.contains("lm_head.weight")) {
    head_ = load_linear(checkpoint, "lm_head", config_.vocab_size, config_.hidden_size);
  }
  if (options_.trainable) register_parameters();
}

at::Tensor Transformer::load_tensor(const Checkpoint& checkpoint, const std::string& name,
                                    std::vector<std::int64_t> shape) {
  return expand(checkpoint.tensor(name, shape), dtype_).to(options_.device);
}

Linear Transformer::load_linear(const Checkpoint& checkpoint, const std::string& name,
                                std::int64_t out, std::int64_t in) {
  Linear linear;
  const weights::TensorView view = checkpoint.tensor(name + ".weight", {{out, in}});
  if (options_.keep_quantized && weights::is_block_quantized(view.dtype)) {
    linear.blocks = view;
  } else {
    linear.weight = expand(view, dtype_).to(options_.device);
  }
  if (checkpoint.contains(name + ".bias")) {
    linear.bias = load_tensor(checkpoint, name + ".bias", {out});
  }
  return linear;
}

Layer Transformer::load_layer(const Checkpoint& checkpoint, std::int64_t index) {
  const std::string prefix = fmt::format("model.layers.{}.", index);
  const std::int64_t hidden = config_.hidden_size, inner = config_.intermediate_size;
  const std::int64_t q_size = config_.num_heads * config_.head_dim;
  const std::int64_t kv_size = config_.num_kv_heads * config_.head_dim;
  const auto linear = [&](const char* name, std::int64_t out, std::int64_t in) {
    return load_linear(checkpoint, prefix + name, out, in);
  };
  const auto norm = [&](const char* name, std::int64_t size) {
    return load_tensor(checkpoint, prefix + name + ".weight", {size});
  };
  const auto layer_index = static_cast<std::size_t>(index);
  Layer layer{.query = linear("self_attn.q_proj", q_size, hidden),
              .key = linear("self_attn.k_proj", kv_size, hidden),
              .value = linear("self_attn.v_proj", kv_size, hidden),
              .output = linear("self_attn.o_proj", hidden, q_size),
              .gate = linear("mlp.gate_proj", inner, hidden),
              .up = linear("mlp.up_proj", inner, hidden),
              .down = linear("mlp.down_proj", hidden, inner),
              .input_norm = norm("input_layernorm", hidden)};
  if (config_.post_norms) {
    layer.post_attention_norm = norm("post_attention_layernorm", hidden);
    layer.mlp_norm = norm("pre_feedforward_layernorm", hidden);
    layer.post_mlp_norm = norm("post_feedforward_layernorm", hidden);
  } else {
    layer.mlp_norm = norm("post_attention_layernorm", hidden);
  }
  if (config_.qk_norm) {
    layer.query_norm = norm("self_attn.q_norm", config_.head_dim);
    layer.key_norm = norm("self_attn.k_norm", config_.head_dim);
  }
  if (layer_index < config_.sliding_window.size())
    layer.window = config_.sliding_window[layer_index];
  layer.uses_sliding_rope = layer.window > 0 && config_.sliding_rope.has_value();
  if (layer_index < config_.uses_rope.size()) layer.uses_rope = config_.uses_rope[layer_index];
  return layer;
}

void Transformer::register_parameters() {
  const auto add = [this](const std::string& name, at::Tensor& tensor, bool decays) {
    if (!tensor.defined()) return;
    tensor.requires_grad_(true);
    parameters_.push_back({name, &tensor, decays});
  };
  const auto add_linear = [&](const std::string& name, Linear& linear) {
    add(name + ".weight", linear.weight, true);
    add(name + ".bias", linear.bias, false);
  };
  add_linear("model.embed_tokens", embedding_);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const std::string prefix = fmt::format("model.layers.{}.", i);
    add(prefix + "input_layernorm.weight", layer.input_norm, false);
    add_linear(prefix + "self_attn.q_proj", layer.query);
    add_linear(prefix + "self_attn.k_proj", layer.key);
    add_linear(prefix + "self_attn.v_proj", layer.value);
    add_linear(prefix + "self_attn.o_proj", layer.output);
    add(prefix + "self_attn.q_norm.weight", layer.query_norm, false);
    add(prefix + "self_attn.k_norm.weight", layer.key_norm, false);
    add(prefix + (config_.post_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm") +
            ".weight",
        layer.mlp_norm, false);
    add(prefix + "post_attention_layernorm.weight", layer.post_attention_norm, false);
    add(prefix + "post_feedforward_layernorm.weight", layer.post_mlp_norm, false);
    add_linear(prefix + "mlp.gate_proj", layer.gate);
    add_linear(prefix + "mlp.up_proj", layer.up);
    add_linear(prefix + "mlp.down_proj", layer.down);
  }
  add("model.norm.weight", final_norm_, false);
  if (head_) add_linear("lm_head", *head_);
}

at::Tensor Transformer::embed(const PackedBatch& batch) const {
  for (const std::int32_t id : batch.token_ids) {
    if (id < 0 || id >= config_.vocab_size) {
      throw InputError(fmt::format("token id {} is outside the model's vocabulary of {}", id,
                                   config_.vocab_size));
    }
  }
  const auto tokens = static_cast<std::int64_t>(batch.token_ids.size());
  at::Tensor x;
  if (embedding_.blocks) {
    std::vector<at::Tensor> rows;
    for (const std::int32_t id : batch.token_ids) {
      rows.push_back(expand_rows(*embedding_.blocks, id, id + 1, dtype_));
    }
    x = at::cat(rows);
  } else {
    at::Tensor ids = at::empty({tokens}, at::kLong);
    std::copy(batch.token_ids.begin(), batch.token_ids.end(), ids.mutable_data_ptr<std::int64_t>());
    x = at::embedding(embedding_.weight, ids.to(options_.device));
  }
  if (config_.scale_embedding) {
    const double root = std::sqrt(static_cast<double>(config_.hidden_size));
    x = x * at::scalar_tensor(root, at::kFloat).to(dtype_);
  }
  return x;
}

at::Tensor Transformer::hidden_states(const PackedBatch& batch) {
  at::Tensor x = embed(batch);
  ForwardContext context{.row_offsets = batch.row_offsets};
  context.rotary = make_rotary_table(config_.rope, config_, batch.row_offsets, dtype_);
  if (config_.sliding_rope) {
    context.sliding_rotary =
        make_rotary_table(*config_.sliding_rope, config_, batch.row_offsets, dtype_);
  }
  const bool recompute = checkpointing_ && x.requires_grad();
  const auto shared = std::make_shared<const PackedBatch>(recompute ? batch : PackedBatch{});
  for (const Layer& layer : layers_) {
    if (!recompute) {
      x = run_layer(layer, x, context);
      continue;
    }
    x = run_checkpointed(x, [this, &layer, shared, context](const at::Tensor& input) {
      const ForwardContext own{shared->row_offsets, context.rotary, context.sliding_rotary};
      return run_layer(layer, input, own);
    });
  }
  return rms_norm(x, final_norm_, config_);
}

at::Tensor Transformer::run_layer(const Layer& layer, const at::Tensor& x,
                                  const ForwardContext& context) const {
  at::Tensor branch = attend(layer, rms_norm(x, layer.input_norm, config_), context);
  if (config_.post_norms) branch = rms_norm(branch, layer.post_attention_norm, config_);
  const at::Tensor middle = x + branch;
  branch = run_mlp(layer, rms_norm(middle, layer.mlp_norm, config_));
  if (config_.post_norms) branch = rms_norm(branch, layer.post_mlp_norm, config_);
  return middle + branch;
}

at::Tensor Transformer::attend(const Layer& layer, const at::Tensor& x,
                               const ForwardContext& context) const {
  const std::int64_t tokens = x.size(0), dim = config_.head_dim;
  at::Tensor q = layer.query(x).view({tokens, config_.num_heads, dim});
  at::Tensor k = layer.key(x).view({tokens, config_.num_kv_heads, dim});
  const at::Tensor v = layer.value(x).view({tokens, config_.num_kv_heads, dim});
  if (config_.qk_norm) {
    q = rms_norm(q, layer.query_norm, config_);
    k = rms_norm(k, layer.key_norm, config_);
  }
  if (layer.uses_rope) {
    const RotaryTable& table = layer.uses_sliding_rope ? context.sliding_rotary : context.rotary;
    q = apply_rotary(q, table);
    k = apply_rotary(k, table);
  }
  std::vector<at::Tensor> rows;
  for (std::size_t row = 0; row + 1 < context.row_offsets.size(); ++row) {
    const std::int64_t begin = context.row_offsets[row], end = context.row_offsets[row + 1];
    rows.push_back(attend_row(q.slice(0, begin, end), k.slice(0, begin, end),
                              v.slice(0, begin, end), layer.window, config_.attention_scale));
  }
  return layer.output(at::cat(rows).reshape({tokens, config_.num_heads * dim}));
}

at::Tensor Transformer::run_mlp(const Layer& layer, const at::Tensor& x) const {
  const at::Tensor gate = layer.gate(x);
  const at::Tensor active =
      config_.activation == weights::Activation::kSilu ? at::silu(gate) : at::gelu(gate, "tanh");
  return layer.down(active * layer.up(x));
}

at::Tensor Transformer::logits(const at::Tensor& hidden) {
  const at::Tensor raw = head()(hidden);
  if (!config_.final_logit_softcap) return raw;
  return at::tanh(raw / *config_.final_logit_softcap) * *config_.final_logit_softcap;
}

at::Tensor Transformer::head_weight() {
  AURUM_CHECK(!head().blocks, "the head is kept in quantized blocks");
  return head().weight;
}

at::Tensor Transformer::head_rows(std::int64_t begin, std::int64_t end) {
  if (head().blocks) return expand_rows(*head().blocks, begin, end, dtype_);
  return head().weight.slice(0, begin, end);
}

}  // namespace

std::unique_ptr<CausalLm> load_causal_lm(const Checkpoint& checkpoint, const LoadOptions& options) {
  return std::make_unique<Transformer>(checkpoint, options);
}

void save_causal_lm(CausalLm& model, const std::string& folder, const std::string& dtype,
                    const std::function<at::Tensor(const NamedParameter&)>& weight_of) {
  const bool wide = dtype == "float32";
  std::vector<at::Tensor> kept;
  std::vector<weights::TensorToWrite> tensors;
  for (const NamedParameter& parameter : model.parameters()) {
    kept.push_back(
        weight_of(parameter).detach().to(wide ? at::kFloat : at::kBFloat16).cpu().contiguous());
    const at::Tensor& tensor = kept.back();
    tensors.push_back({.name = parameter.name,
                       .dtype = wide ? weights::DType::kFloat32 : weights::DType::kBFloat16,
                       .shape = tensor.sizes().vec(),
                       .bytes = {static_cast<const std::byte*>(tensor.const_data_ptr()),
                                 static_cast<std::size_t>(tensor.nbytes())}});
  }
  make_folder(folder);
  weights::write_safetensors(folder, std::move(tensors));
  write_file(folder + "/config.json", weights::config_json_with_dtype(model.config(), dtype));
  if (!model.config().generation_config_json.empty()) {
    write_file(folder + "/generation_config.json", model.config().generation_config_json);
  }
}

}  // namespace aurum::model

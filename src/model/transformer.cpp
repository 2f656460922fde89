// The decoder-only transformer that all families share. What differs between them is data: the
// tensors that families/ names and the facts in weights::ModelConfig.

#include <cmath>
#include <optional>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "model/causal_lm.h"
#include "model/layers/checkpointing.h"
#include "model/transformer_weights.h"

namespace aurum::model {

namespace {

using weights::ModelConfig;

// What all layers of one forward pass share.
struct ForwardContext {
  std::vector<std::int64_t> row_offsets;
  std::optional<RotaryTable> rotary, sliding_rotary;

  const RotaryTable* table_of(const TransformerLayer& layer) const {
    if (!layer.uses_rope) return nullptr;
    return &*(layer.uses_sliding_rope ? sliding_rotary : rotary);
  }
};

class Transformer : public CausalLm {
 public:
  Transformer(ModelConfig config, at::Device device, at::ScalarType dtype,
              TransformerWeights weights)
      : config_(std::move(config)),
        device_(device),
        dtype_(dtype),
        weights_(std::move(weights)),
        activation_{.kind = config_.activation,
                    .gated = config_.gated_mlp,
                    .clamped = config_.clamped_swiglu} {}

  const ModelConfig& config() const override { return config_; }
  at::Tensor hidden_states(const PackedBatch& batch) override;
  at::Tensor logits(const at::Tensor& hidden) override;
  at::Tensor head_weight() override;
  at::Tensor head_rows(std::int64_t begin, std::int64_t end) override;
  std::vector<NamedParameter> parameters() override;
  void set_gradient_checkpointing(bool enabled) override { checkpointing_ = enabled; }
  const weights::LoraConfig* adapter_config() const override {
    return weights_.adapter_config ? &*weights_.adapter_config : nullptr;
  }
  at::Tensor frozen_tensor(const std::string& name) const override;
  std::unique_ptr<CausalLm> without_adapter() const override {
    return std::make_unique<Transformer>(config_, device_, dtype_,
                                         model::without_adapter(weights_));
  }
  void set_dropout_draw(std::optional<std::uint64_t> draw) override {
    if (weights_.dropout) weights_.dropout->draw = draw;
  }

 private:
  // The residual stream is float32 in every compute dtype: rounded after each branch, it would lose
  // more than all other roundings together.
  at::Tensor embed(const PackedBatch& batch) const;
  at::Tensor embed_ids(const std::vector<std::int32_t>& ids) const;
  at::Tensor embed_positions(const std::vector<std::int64_t>& row_offsets) const;
  ForwardContext make_context(const PackedBatch& batch) const;
  at::Tensor run_layer(const TransformerLayer& layer, const at::Tensor& x,
                       const ForwardContext& context) const;
  at::Tensor run_mlp(const TransformerLayer& layer, const at::Tensor& x) const;
  const Linear& head() const { return weights_.head ? *weights_.head : weights_.embedding; }

  ModelConfig config_;
  at::Device device_;
  at::ScalarType dtype_;
  TransformerWeights weights_;
  MlpActivation activation_;
  bool checkpointing_ = false;
};

void check_ids(const std::vector<std::int32_t>& ids, std::int64_t vocab_size) {
  for (const std::int32_t id : ids) {
    if (id >= 0 && id < vocab_size) continue;
    throw InputError(
        fmt::format("token id {} is outside the model's vocabulary of {}", id, vocab_size));
  }
}

// The values of `numbers` as an index on `device`.
template <typename T>
at::Tensor index_of(const std::vector<T>& numbers, const at::Device& device) {
  at::Tensor index = at::empty({static_cast<std::int64_t>(numbers.size())}, at::kLong);
  std::copy(numbers.begin(), numbers.end(), index.mutable_data_ptr<std::int64_t>());
  return index.to(device);
}

at::Tensor Transformer::embed_ids(const std::vector<std::int32_t>& ids) const {
  const Linear& embedding = weights_.embedding;
  if (embedding.blocks.empty()) {
    const at::Tensor& weight =
        embedding.weight_leaves.empty() ? embedding.weight : embedding.weight_leaves[0].tensor;
    return at::embedding(weight, index_of(ids, device_));
  }
  std::vector<at::Tensor> rows;
  for (const std::int32_t id : ids) {
    rows.push_back(expand_rows(embedding.blocks.front(), id, id + 1, dtype_));
  }
  return at::cat(rows).to(device_);
}

at::Tensor Transformer::embed_positions(const std::vector<std::int64_t>& row_offsets) const {
  std::vector<std::int64_t> positions;
  for (std::size_t row = 0; row + 1 < row_offsets.size(); ++row) {
    const std::int64_t length = row_offsets[row + 1] - row_offsets[row];
    if (length > weights_.positions.size(0)) {
      throw InputError(fmt::format("a row of {} tokens is longer than the model's {} positions",
                                   length, weights_.positions.size(0)));
    }
    for (std::int64_t p = 0; p < length; ++p) positions.push_back(p);
  }
  return at::embedding(weights_.positions, index_of(positions, device_));
}

at::Tensor Transformer::embed(const PackedBatch& batch) const {
  check_ids(batch.token_ids, config_.vocab_size);
  at::Tensor x = embed_ids(batch.token_ids).to(at::kFloat);
  if (config_.scale_embedding) {
    const double root = std::sqrt(static_cast<double>(config_.hidden_size));
    x = x * at::scalar_tensor(root, at::kFloat).to(dtype_).to(at::kFloat);
  }
  return weights_.positions.defined() ? x + embed_positions(batch.row_offsets) : x;
}

ForwardContext Transformer::make_context(const PackedBatch& batch) const {
  ForwardContext context{.row_offsets = batch.row_offsets};
  const auto options = at::TensorOptions(device_).dtype(dtype_);
  if (!config_.learned_positions) {
    context.rotary = make_rotary_table(config_.rope, config_, batch.row_offsets, options);
  }
  if (config_.sliding_rope) {
    context.sliding_rotary =
        make_rotary_table(*config_.sliding_rope, config_, batch.row_offsets, options);
  }
  return context;
}

at::Tensor Transformer::hidden_states(const PackedBatch& batch) {
  at::Tensor x = embed(batch);
  const auto context = std::make_shared<const ForwardContext>(make_context(batch));
  // Layers run again only where their input wants a gradient, which a frozen embedding does not.
  if (checkpointing_ && adapter_config() && c10::GradMode::is_enabled()) x.requires_grad_(true);
  const bool recompute = checkpointing_ && x.requires_grad();
  for (const TransformerLayer& layer : weights_.layers) {
    const auto run = [this, &layer, context](const at::Tensor& input) {
      return run_layer(layer, input, *context);
    };
    x = recompute ? run_checkpointed(x, run) : run(x);
  }
  return weights_.final_norm(x);
}

at::Tensor Transformer::run_layer(const TransformerLayer& layer, const at::Tensor& x,
                                  const ForwardContext& context) const {
  const at::Tensor qkv = layer.qkv(layer.input_norm(x));
  at::Tensor branch =
      layer.output(attend(layer.attention, qkv, context.table_of(layer), context.row_offsets));
  if (layer.post_attention_norm.exists()) branch = layer.post_attention_norm(branch);
  const auto [middle, normed] = layer.mlp_norm.add(x, branch);
  branch = run_mlp(layer, normed);
  if (layer.post_mlp_norm.exists()) branch = layer.post_mlp_norm(branch);
  return middle + branch;
}

at::Tensor Transformer::run_mlp(const TransformerLayer& layer, const at::Tensor& x) const {
  if (layer.is_sparse) return layer.experts(*config_.experts, activation_, x);
  return layer.mlp(activation_, x);
}

at::Tensor Transformer::logits(const at::Tensor& hidden) {
  const at::Tensor raw = head()(hidden);
  if (!config_.final_logit_softcap) return raw;
  return at::tanh(raw / *config_.final_logit_softcap) * *config_.final_logit_softcap;
}

at::Tensor Transformer::head_weight() {
  AURUM_CHECK(head().blocks.empty(), "the head is kept in quantized blocks");
  return head().weight_leaves.empty() ? head().weight : head().weight_leaves[0].tensor;
}

at::Tensor Transformer::head_rows(std::int64_t begin, std::int64_t end) {
  if (!head().blocks.empty()) return expand_rows(head().blocks.front(), begin, end, dtype_);
  return head_weight().slice(0, begin, end);
}

at::Tensor Transformer::frozen_tensor(const std::string& name) const {
  for (const FrozenTensor& frozen : weights_.frozen) {
    if (frozen.name != name) continue;
    return frozen.tensor.defined() ? frozen.tensor : expand(frozen.blocks, dtype_);
  }
  return {};
}

// Matrices decay; biases and norm weights do not.
std::vector<NamedParameter> Transformer::parameters() {
  std::vector<NamedParameter> parameters;
  for (Leaf& leaf : weights_.leaves) {
    parameters.push_back({leaf.name, &leaf.tensor, leaf.tensor.dim() == 2});
  }
  return parameters;
}

}  // namespace

std::unique_ptr<CausalLm> load_causal_lm(const weights::Checkpoint& checkpoint,
                                         const LoadOptions& options) {
  const auto dtype = options.dtype == ComputeDType::kFloat32 ? at::kFloat : at::kBFloat16;
  return std::make_unique<Transformer>(checkpoint.config(), at::Device(options.device), dtype,
                                       load_transformer_weights(checkpoint, options));
}

}  // namespace aurum::model

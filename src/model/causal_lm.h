#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "weights/checkpoint.h"
#include "weights/lora_adapter.h"

namespace aurum::model {

// Several token sequences laid end to end, without padding: row r holds the tokens
// [row_offsets[r], row_offsets[r + 1]) of `token_ids`. Attention never crosses rows.
struct PackedBatch {
  std::vector<std::int32_t> token_ids;
  std::vector<std::int64_t> row_offsets = {0};  // num_rows + 1 entries

  void add_row(std::span<const std::int32_t> ids) {
    token_ids.insert(token_ids.end(), ids.begin(), ids.end());
    row_offsets.push_back(static_cast<std::int64_t>(token_ids.size()));
  }
  std::int64_t num_rows() const { return static_cast<std::int64_t>(row_offsets.size()) - 1; }
};

enum class ComputeDType { kFloat32, kBFloat16 };

// A LoRA adapter to train over frozen weights.
struct AdapterOptions {
  weights::LoraConfig config;
  std::uint64_t seed = 0;
  bool uses_dropout = false;
  // The values to begin with; without them A is random and B zero, as peft has it.
  std::shared_ptr<const weights::LoraAdapter> start;
};

struct LoadOptions {
  ComputeDType dtype = ComputeDType::kBFloat16;
  bool trainable = false;       // parameters require gradients; blocks are expanded once
  bool keep_quantized = false;  // frozen only: GGUF blocks stay blocks, expanded tile by tile
  std::string device = "cpu";
  // With `trainable`: only this adapter is trained. The embedding and the head are expanded even if
  // the other weights keep their blocks.
  std::optional<AdapterOptions> adapter;
};

// A parameter by its Hugging Face name, or "model.layers.0.self_attn.q_proj.lora_A.weight" of an
// adapter. `decays`: weight decay applies (no bias, no norm weight).
struct NamedParameter {
  std::string name;
  at::Tensor* tensor;
  bool decays;
};

// A decoder-only transformer. Frozen models are thread-safe to run; trainable ones belong to one
// thread.
class CausalLm {
 public:
  virtual ~CausalLm() = default;

  virtual const weights::ModelConfig& config() const = 0;
  // Final hidden states after the last norm: [total_tokens, hidden] in the compute dtype. Gradients
  // flow when the model is trainable and grad mode is on; with checkpointing on, each layer's
  // activations are recomputed in the backward pass.
  virtual at::Tensor hidden_states(const PackedBatch& batch) = 0;
  // The head product, soft cap included: [tokens, vocab] in the compute dtype.
  virtual at::Tensor logits(const at::Tensor& hidden) = 0;
  // The head weights [vocab, hidden] in the compute dtype; for tied models the embedding itself.
  // A model that keeps quantized blocks has none: use head_rows.
  virtual at::Tensor head_weight() = 0;
  // Rows [begin, end) of the head, expanded: [end - begin, hidden] in the compute dtype.
  virtual at::Tensor head_rows(std::int64_t begin, std::int64_t end) = 0;
  // Every trainable tensor, in a fixed order. Tied weights appear once.
  virtual std::vector<NamedParameter> parameters() = 0;
  virtual void set_gradient_checkpointing(bool enabled) = 0;

  // Of the adapter that is trained; null when there is none.
  virtual const weights::LoraConfig* adapter_config() const = 0;
  // A frozen tensor under an adapter by its Hugging Face name, expanded in the compute dtype;
  // undefined when the model has no such tensor.
  virtual at::Tensor frozen_tensor(const std::string& name) const = 0;
  // The same weights without the adapter, frozen. Shares their memory.
  virtual std::unique_ptr<CausalLm> without_adapter() const = 0;
  // Which dropout masks the adapter's next passes draw; nullopt: it drops nothing. The number must
  // stay between a forward pass and its backward pass.
  virtual void set_dropout_draw(std::optional<std::uint64_t> draw) = 0;
};

std::unique_ptr<CausalLm> load_causal_lm(const weights::Checkpoint& checkpoint,
                                         const LoadOptions& options);

// Writes config.json, generation_config.json and model.safetensors (Hugging Face names, tied head
// left out) in `dtype` ("float32" or "bfloat16"). `weight_of` gives the tensor to write for a
// parameter: the optimizer's float32 master where there is one.
void save_causal_lm(CausalLm& model, const std::string& folder, const std::string& dtype,
                    const std::function<at::Tensor(const NamedParameter&)>& weight_of);

// Writes the adapter as peft does, in float32. `weight_of` as above.
void save_adapter(CausalLm& model, const std::string& folder,
                  const std::function<at::Tensor(const NamedParameter&)>& weight_of);

}  // namespace aurum::model

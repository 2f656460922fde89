#include "base/error.h"
#include "model/families/families.h"

namespace aurum::model {

namespace {

LayerNames layer_names(const weights::ModelConfig& config, const std::string& prefix) {
  const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
  LayerNames names{
      .qkv = {attention + "q_proj", attention + "k_proj", attention + "v_proj"},
      .output = attention + "o_proj",
      .mlp = {.gate_up = {mlp + "gate_proj", mlp + "up_proj"}, .down = mlp + "down_proj"},
      .input_norm = prefix + "input_layernorm",
      .mlp_norm = prefix + "post_attention_layernorm"};
  if (config.qk_norm) {
    names.query_norm = attention + "q_norm";
    names.key_norm = attention + "k_norm";
  }
  return names;
}

}  // namespace

TensorNames llama_tensor_names(const weights::ModelConfig& config) {
  TensorNames names{
      .embedding = "model.embed_tokens", .final_norm = "model.norm", .head = "lm_head"};
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    names.layers.push_back(layer_names(config, fmt::format("model.layers.{}.", i)));
  }
  return names;
}

}  // namespace aurum::model

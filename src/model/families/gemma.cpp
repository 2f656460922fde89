#include "base/error.h"
#include "model/families/families.h"

namespace aurum::model {

TensorNames gemma_tensor_names(const weights::ModelConfig& config) {
  TensorNames names = llama_tensor_names(config);
  for (std::size_t i = 0; i < names.layers.size(); ++i) {
    const std::string prefix = fmt::format("model.layers.{}.", i);
    names.layers[i].post_attention_norm = prefix + "post_attention_layernorm";
    names.layers[i].mlp_norm = prefix + "pre_feedforward_layernorm";
    names.layers[i].post_mlp_norm = prefix + "post_feedforward_layernorm";
  }
  return names;
}

}  // namespace aurum::model

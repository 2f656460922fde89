#include "base/error.h"
#include "model/families/families.h"

namespace aurum::model {

TensorNames sparse_tensor_names(const weights::ModelConfig& config) {
  TensorNames names = llama_tensor_names(config);
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    LayerNames& layer = names.layers[static_cast<std::size_t>(i)];
    if (config.attention_sinks) layer.sinks = fmt::format("model.layers.{}.self_attn.sinks", i);
    if (!weights::is_sparse(config, i)) continue;
    const std::string prefix = fmt::format("model.layers.{}.mlp.", i);
    layer.mlp = {};
    layer.router = prefix + "gate";
    for (std::int64_t e = 0; e < config.experts->num_experts; ++e) {
      const std::string expert = fmt::format("{}experts.{}.", prefix, e);
      layer.experts.push_back(
          {.gate_up = {expert + "gate_proj", expert + "up_proj"}, .down = expert + "down_proj"});
    }
  }
  return names;
}

}  // namespace aurum::model

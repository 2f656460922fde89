#include "base/error.h"
#include "model/families/families.h"

namespace aurum::model {

TensorNames phi3_tensor_names(const weights::ModelConfig& config) {
  TensorNames names = llama_tensor_names(config);
  for (std::size_t i = 0; i < names.layers.size(); ++i) {
    const std::string prefix = fmt::format("model.layers.{}.", i);
    names.layers[i].qkv = {prefix + "self_attn.qkv_proj"};
    names.layers[i].mlp.gate_up = {prefix + "mlp.gate_up_proj"};
  }
  return names;
}

}  // namespace aurum::model

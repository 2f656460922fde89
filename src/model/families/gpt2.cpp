#include "base/error.h"
#include "model/families/families.h"

namespace aurum::model {

TensorNames gpt2_tensor_names(const weights::ModelConfig& config) {
  TensorNames names{.embedding = "transformer.wte",
                    .positions = "transformer.wpe",
                    .final_norm = "transformer.ln_f",
                    .head = "lm_head",
                    .input_major = true};
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    const std::string prefix = fmt::format("transformer.h.{}.", i);
    names.layers.push_back(
        {.qkv = {prefix + "attn.c_attn"},
         .output = prefix + "attn.c_proj",
         .mlp = {.gate_up = {prefix + "mlp.c_fc"}, .down = prefix + "mlp.c_proj"},
         .input_norm = prefix + "ln_1",
         .mlp_norm = prefix + "ln_2"});
  }
  return names;
}

}  // namespace aurum::model

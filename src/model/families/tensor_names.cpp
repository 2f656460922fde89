#include "model/families/tensor_names.h"

#include "model/families/families.h"

namespace aurum::model {

TensorNames tensor_names(const weights::ModelConfig& config) {
  if (config.learned_positions) return gpt2_tensor_names(config);
  if (config.experts) return sparse_tensor_names(config);
  if (config.fused_qkv) return phi3_tensor_names(config);
  if (config.post_norms) return gemma_tensor_names(config);
  return llama_tensor_names(config);
}

}  // namespace aurum::model

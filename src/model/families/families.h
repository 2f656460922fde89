#pragma once

#include "model/families/tensor_names.h"

// One function per family of tensor names.
namespace aurum::model {

// llama, mistral, qwen2, qwen3, smollm3: separate matrices, two norms per layer.
TensorNames llama_tensor_names(const weights::ModelConfig& config);
// gemma2, gemma3_text: the same with four norms per layer.
TensorNames gemma_tensor_names(const weights::ModelConfig& config);
// phi3: fused [q; k; v] and [gate; up].
TensorNames phi3_tensor_names(const weights::ModelConfig& config);
// gpt2: LayerNorm, learned positions, fused [in, out] matrices, no gate.
TensorNames gpt2_tensor_names(const weights::ModelConfig& config);
// qwen3_moe, gpt_oss: llama's attention over a router and experts in the sparse layers.
TensorNames sparse_tensor_names(const weights::ModelConfig& config);

}  // namespace aurum::model

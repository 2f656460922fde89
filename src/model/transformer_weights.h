#pragma once

#include <vector>

#include "model/causal_lm.h"
#include "model/layers/attention.h"
#include "model/layers/experts.h"
#include "model/layers/gated_activation.h"
#include "model/layers/linear.h"
#include "model/layers/norm.h"

namespace aurum::model {

// One layer, whichever family it is from: absent parts are undefined or empty.
struct TransformerLayer {
  Norm input_norm, mlp_norm;                // before attention and before the MLP
  Norm post_attention_norm, post_mlp_norm;  // Gemma: on the branch before it is added
  Linear qkv, output;
  AttentionLayer attention;
  bool uses_rope = true, uses_sliding_rope = false;
  Mlp mlp;          // dense layers
  Experts experts;  // sparse layers
  bool is_sparse = false;
};

// A tensor that an adapter leaves as it is: in memory, or in its file's blocks.
struct FrozenTensor {
  std::string name;
  at::Tensor tensor;  // undefined: it is in `blocks`
  weights::TensorView blocks;
};

struct TransformerWeights {
  Linear embedding;
  at::Tensor positions;  // [max positions, hidden]; learned positions only
  std::vector<TransformerLayer> layers;
  Norm final_norm;
  std::optional<Linear> head;  // absent when tied
  // Every trainable tensor in the order of the forward pass; the tensors are owned here.
  std::vector<Leaf> leaves;
  // Under an adapter only.
  std::vector<FrozenTensor> frozen;
  std::optional<weights::LoraConfig> adapter_config;
  std::shared_ptr<AdapterDropout> dropout;
};

// The same without its adapter. The tensors are shared.
TransformerWeights without_adapter(TransformerWeights weights);

// Puts the layers together from a checkpoint. Throws FormatError for a missing or misshapen tensor
// and InputError for a family that can teach but not be trained.
TransformerWeights load_transformer_weights(const weights::Checkpoint& checkpoint,
                                            const LoadOptions& options);

}  // namespace aurum::model

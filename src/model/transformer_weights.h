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

struct TransformerWeights {
  Linear embedding;
  at::Tensor positions;  // [max positions, hidden]; learned positions only
  std::vector<TransformerLayer> layers;
  Norm final_norm;
  std::optional<Linear> head;  // absent when tied
  // Every trainable tensor in the order of the forward pass; the tensors are owned here.
  std::vector<Leaf> leaves;
};

// Puts the layers together from a checkpoint. Throws FormatError for a missing or misshapen tensor
// and InputError for a family that can teach but not be trained.
TransformerWeights load_transformer_weights(const weights::Checkpoint& checkpoint,
                                            const LoadOptions& options);

}  // namespace aurum::model

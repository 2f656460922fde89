#pragma once

#include <string>
#include <vector>

#include "weights/model_config.h"

namespace aurum::model {

// The matrices of one MLP by their names without ".weight" and ".bias".
struct MlpNames {
  std::vector<std::string> gate_up;  // gate and up, or both fused, or up alone
  std::string down;
};

// Where a family keeps the tensors of one layer. An empty name: the family has no such tensor.
struct LayerNames {
  std::vector<std::string> qkv;  // three matrices, or one fused [q; k; v]
  std::string output, sinks;     // sinks is a whole name
  MlpNames mlp;                  // dense layers
  std::string router;            // sparse layers
  std::vector<MlpNames> experts;
  std::string input_norm, mlp_norm, post_attention_norm, post_mlp_norm, query_norm, key_norm;
};

struct TensorNames {
  std::string embedding, positions, final_norm, head;
  std::vector<LayerNames> layers;
  bool input_major = false;  // the layers' matrices are stored [in, out]
};

// The one place that knows which family a configuration belongs to; each has its own file.
TensorNames tensor_names(const weights::ModelConfig& config);

}  // namespace aurum::model

#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "model/layers/gated_activation.h"
#include "model/layers/linear.h"
#include "weights/model_config.h"

namespace aurum::model {

struct Mlp {
  Linear gate_up, down;
  at::Tensor operator()(const MlpActivation& activation, const at::Tensor& x) const;
};

// A sparse layer: each token runs through the experts that its router logits choose.
struct Experts {
  Linear router;  // [experts, hidden]
  std::vector<Mlp> experts;
  // x [tokens, hidden]. Each expert runs once, on the tokens that chose it.
  at::Tensor operator()(const weights::ExpertConfig& config, const MlpActivation& activation,
                        const at::Tensor& x) const;
};

}  // namespace aurum::model

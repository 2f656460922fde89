#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace aurum::train {

// `type` is a Hugging Face name: adamw_torch (adamw_torch_fused computes the same), sgd, adagrad,
// rmsprop, adafactor or lion_32bit.
struct OptimizerConfig {
  std::string type = "adamw_torch";
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  // adamw; lion has the betas
  double momentum = 0.0;                              // sgd
  double weight_decay = 0.0;
};

// A tensor that a rule keeps for each parameter, zero at the beginning.
struct RuleState {
  std::string name;  // in checkpoints
  std::vector<std::int64_t> shape;
};

// One update of one parameter.
struct ParameterUpdate {
  at::Tensor& master;               // float32
  const at::Tensor& gradient;       // float32, to be multiplied by `scale`
  std::vector<at::Tensor>& states;  // float32, in the order of states_for()
  double scale = 1.0;
  double learning_rate = 0.0;
  double weight_decay = 0.0;
  std::int64_t step = 1;  // counts from 1
};

// An optimizer's arithmetic.
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  virtual std::vector<RuleState> states_for(const std::vector<std::int64_t>& shape) const = 0;
  virtual void apply(const ParameterUpdate& update) const = 0;
};

std::unique_ptr<UpdateRule> make_update_rule(const OptimizerConfig& config);

}  // namespace aurum::train

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/causal_lm.h"
#include "train/update_rule.h"

namespace aurum::train {

// Moves float32 master weights by an UpdateRule, on the CPU. The model's parameters may be
// bfloat16: they are rounded from the masters after every step. Gradients of the window's
// micro-batches add up in float32.
class Optimizer {
 public:
  Optimizer(std::vector<model::NamedParameter> parameters, const OptimizerConfig& config);

  // Moves every parameter's .grad into the float32 sums and clears it.
  void accumulate_gradients();
  // The float32 sum of the parameter that shares `weight`'s memory, for gradients that do not come
  // from autograd: add to it before step().
  at::Tensor gradient_sum(const at::Tensor& weight) const;
  // The global L2 norm of the summed gradients.
  double gradient_norm() const;
  // One update with the gradients scaled by `gradient_scale` (for clipping), then clears them.
  void step(double learning_rate, double gradient_scale);

  // The float32 master of a parameter, to write checkpoints from; null for one that was not given.
  const at::Tensor* find_master(const std::string& name) const;

  // Writes masters, the rule's states and the step count to one safetensors file; load() brings
  // them back bit for bit and rounds the model's parameters from the masters.
  void save(const std::string& file) const;
  void load(const std::string& file);

 private:
  struct Slot {
    model::NamedParameter parameter;
    at::Tensor master, gradient_sum;  // float32, shape of parameter
    std::vector<std::string> state_names;
    std::vector<at::Tensor> states;  // float32
  };

  double weight_decay_;
  std::unique_ptr<UpdateRule> rule_;
  std::int64_t num_steps_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace aurum::train

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/causal_lm.h"

namespace aurum::train {

struct AdamWConfig {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0.0;
};

// AdamW (Loshchilov & Hutter 2019, algorithm 2) on float32 master weights, on the CPU. The model's
// parameters may be bfloat16: they are rounded from the masters after every step. Gradients of the
// window's micro-batches add up in float32.
class AdamW {
 public:
  AdamW(std::vector<model::NamedParameter> parameters, const AdamWConfig& config);

  // Moves every parameter's .grad into the float32 sums and clears it.
  void accumulate_gradients();
  // Adds `gradient` (float32, same shape) to the sum of the parameter that shares `weight`'s
  // memory.
  void accumulate_gradient(const at::Tensor& weight, const at::Tensor& gradient);
  // The global L2 norm of the summed gradients.
  double gradient_norm() const;
  // One update with the gradients scaled by `gradient_scale` (for clipping), then clears them.
  void step(double learning_rate, double gradient_scale);

  // The float32 master of a parameter, to write checkpoints from.
  const at::Tensor& master(const std::string& name) const;

  // Writes masters, both moments and the step count to one safetensors file; load() brings them
  // back bit for bit and rounds the model's parameters from the masters.
  void save(const std::string& file) const;
  void load(const std::string& file);

 private:
  struct Slot {
    model::NamedParameter parameter;
    at::Tensor master, gradient_sum, first_moment, second_moment;  // float32, shape of parameter
  };
  void update(Slot& slot, double learning_rate, double gradient_scale);

  AdamWConfig config_;
  std::int64_t num_steps_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace aurum::train

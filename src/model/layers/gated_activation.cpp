#include "model/layers/gated_activation.h"

#include <ATen/ATen.h>

namespace aurum::model {

namespace {

at::Tensor activate(weights::Activation kind, const at::Tensor& x) {
  return kind == weights::Activation::kSilu ? at::silu(x) : at::gelu(x, "tanh");
}

at::Tensor clamped_swiglu(const weights::ClampedSwiglu& clamp, const at::Tensor& gate,
                          const at::Tensor& up) {
  const at::Tensor low_gate = gate.clamp_max(clamp.limit);
  const at::Tensor near_up = up.clamp(-clamp.limit, clamp.limit);
  return (near_up + 1) * (low_gate * at::sigmoid(low_gate * clamp.alpha));
}

}  // namespace

at::Tensor apply_activation(const MlpActivation& activation, const at::Tensor& gate_up) {
  if (!activation.gated) return activate(activation.kind, gate_up);
  const auto halves = gate_up.chunk(2, -1);
  if (activation.clamped) return clamped_swiglu(*activation.clamped, halves[0], halves[1]);
  return activate(activation.kind, halves[0]) * halves[1];
}

}  // namespace aurum::model

#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

#include "weights/model_config.h"

namespace aurum::model {

// What lies between the two products of an MLP.
struct MlpActivation {
  weights::Activation kind = weights::Activation::kSilu;
  bool gated = true;
  std::optional<weights::ClampedSwiglu> clamped;  // replaces `kind`
};

// gate_up is [tokens, gate; up], or [tokens, up] when not gated. Returns activation(gate) * up.
at::Tensor apply_activation(const MlpActivation& activation, const at::Tensor& gate_up);

// The same by ATen operators: what the kernel is compared with, and what other devices and the
// rarer kinds use.
at::Tensor plain_activation(const MlpActivation& activation, const at::Tensor& gate_up);

}  // namespace aurum::model

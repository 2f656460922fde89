#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "model/causal_lm.h"

namespace aurum::model {

// Cosines and sines for every token of a batch, at its position in its row:
// [tokens, 1, head_dim] each, in `dtype`.
struct RotaryTable {
  at::Tensor cos, sin;
};

// Throws FormatError for a kind of scaling that the packed forward pass does not know.
void check_rope(const weights::RopeConfig& rope);
RotaryTable make_rotary_table(const weights::RopeConfig& rope, const weights::ModelConfig& config,
                              const std::vector<std::int64_t>& row_offsets, at::ScalarType dtype);

// Rotates halves, as Hugging Face lays them out. x is [tokens, heads, head_dim].
at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table);

}  // namespace aurum::model

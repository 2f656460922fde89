#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "weights/model_config.h"

namespace aurum::model {

// Cosines and sines for every token of a batch at its position in its row, times the attention
// factor: [tokens, rotary_dim / 2] each, float32 values rounded to the compute dtype.
struct RotaryTable {
  at::Tensor cos, sin;
};

// Every row takes the factors of its own length (dynamic, longrope), so that batching never
// changes a row.
RotaryTable make_rotary_table(const weights::RopeConfig& rope, const weights::ModelConfig& config,
                              const std::vector<std::int64_t>& row_offsets,
                              const at::TensorOptions& options);

// Rotates the first rotary_dim values of each head, dimension i with i + rotary_dim / 2, as Hugging
// Face lays them out. x is [tokens, heads, head_dim].
at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table);

}  // namespace aurum::model

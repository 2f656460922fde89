#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/layers/low_rank.h"
#include "weights/checkpoint.h"

namespace aurum::model {

// Expands a stored tensor to float32 or bfloat16, rows in parallel. Where its file is mapped, the
// pages are given back: the copy takes their place.
at::Tensor expand(const weights::TensorView& view, at::ScalarType dtype);
// Expands rows [begin, end) of a matrix.
at::Tensor expand_rows(const weights::TensorView& view, std::int64_t begin, std::int64_t end,
                       at::ScalarType dtype);

// A tensor of the checkpoint with a gradient of its own: rows of a Linear, or a whole norm weight.
struct Leaf {
  std::string name;  // Hugging Face name
  at::Tensor tensor;
};

// y = x W^T + b. Matrices that read the same x (q, k and v; gate and up) lie one under another in
// one W, so that they run as one product; each keeps its own leaf, a view of its rows.
//
// A frozen W may stay in its file's blocks: it is then expanded within each product, forward and
// backward.
struct Linear {
  at::Tensor weight;  // [out, in], or [in, out] if input_major; undefined while there are blocks
  at::Tensor bias;    // [out] or undefined
  bool input_major = false;
  std::vector<weights::TensorView> blocks;
  std::vector<Leaf> weight_leaves, bias_leaves;  // trainable only
  std::vector<LowRank> low_rank;                 // adapters over a frozen W

  // x [tokens, in] -> [tokens, out]. Leaves that require gradients receive them, and so does x.
  at::Tensor operator()(const at::Tensor& x) const;
};

}  // namespace aurum::model

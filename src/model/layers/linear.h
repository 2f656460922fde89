#pragma once

#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include "weights/checkpoint.h"

namespace aurum::model {

// Expands a stored tensor to float32 or bfloat16, rows in parallel.
at::Tensor expand(const weights::TensorView& view, at::ScalarType dtype);
// Expands rows [begin, end) of a matrix.
at::Tensor expand_rows(const weights::TensorView& view, std::int64_t begin, std::int64_t end,
                       at::ScalarType dtype);

// y = x W^T + b. A frozen weight may stay in its file's blocks: it is then expanded into a scratch
// matrix right before each product, so that only one expanded matrix exists at a time.
struct Linear {
  at::Tensor weight;  // [out, in]; undefined while `blocks` is set
  at::Tensor bias;    // [out] or undefined
  std::optional<weights::TensorView> blocks;

  at::Tensor operator()(const at::Tensor& x) const;
};

}  // namespace aurum::model

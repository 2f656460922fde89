#pragma once

#include <span>

#include <ATen/core/Tensor.h>

#include "weights/checkpoint.h"

// The products of a linear layer y = x W^T + b, forward and backward, in the dtype of the factors
// with float32 sums. bfloat16 on a CPU goes through pair_gemm where that is the fastest; all else
// through libtorch, which is also what these are tested against.
namespace aurum::model {

// x [tokens, in] W^T, with W [out, in] and b [out] or undefined.
at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

// The same with a W that stays in its file's blocks, all of `blocks` one under another; they are
// expanded into the cache, 64 rows at a time, or as a whole into memory that all such products of a
// thread share.
at::Tensor linear_product(const at::Tensor& x, std::span<const weights::TensorView> blocks,
                          const at::Tensor& bias);

// dx = dy [tokens, out] W.
at::Tensor input_gradient(const at::Tensor& dy, const at::Tensor& weight);
at::Tensor input_gradient(const at::Tensor& dy, std::span<const weights::TensorView> blocks);

// dW = dy^T x, [out, in].
at::Tensor weight_gradient(const at::Tensor& dy, const at::Tensor& x);

// Expands values from `first` on into all of `out`, float32 or bfloat16, contiguous.
void expand_into(const weights::TensorView& view, std::int64_t first, at::Tensor out);

}  // namespace aurum::model

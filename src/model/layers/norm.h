#pragma once

#include <utility>

#include <ATen/core/Tensor.h>

namespace aurum::model {

// RMS norm, y = w * x / rms(x), or LayerNorm. Statistics are float32 in all of them.
struct NormKind {
  bool is_layer_norm = false;
  bool adds_one = false;     // 1 + w instead of w
  bool rounds_last = false;  // multiplies by w in float32; else x / rms(x) is rounded before
  double eps = 1e-6;
};

struct Norm {
  NormKind kind;
  at::Tensor weight;  // [size]; undefined: there is no such norm
  at::Tensor bias;    // LayerNorm only

  bool exists() const { return weight.defined(); }
  // x [..., size], in the weight's dtype or float32; the result has the weight's dtype.
  at::Tensor operator()(const at::Tensor& x) const;
  // {x + branch, norm of that}, in one pass. The sum has the dtype of x.
  std::pair<at::Tensor, at::Tensor> add(const at::Tensor& x, const at::Tensor& branch) const;

 private:
  at::Tensor layer_norm(const at::Tensor& x) const;
};

// The same RMS norm by ATen operators: what the kernel is compared with, and what other devices
// than the CPU use.
at::Tensor plain_rms_norm(const at::Tensor& x, const at::Tensor& weight, const NormKind& kind);

}  // namespace aurum::model

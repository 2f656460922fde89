#include "model/layers/norm.h"

#include <ATen/ATen.h>

namespace aurum::model {

at::Tensor plain_rms_norm(const at::Tensor& x, const at::Tensor& weight, const NormKind& kind) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor normed = wide * at::rsqrt(wide.pow(2).mean(-1, true) + kind.eps);
  const at::Tensor scale = kind.adds_one ? 1.0 + weight.to(at::kFloat) : weight;
  if (kind.rounds_last) return (normed * scale.to(at::kFloat)).to(x.scalar_type());
  return normed.to(x.scalar_type()) * scale;
}

at::Tensor Norm::operator()(const at::Tensor& x) const {
  if (kind.is_layer_norm) return at::layer_norm(x, weight.sizes(), weight, bias, kind.eps);
  return plain_rms_norm(x, weight, kind);
}

}  // namespace aurum::model

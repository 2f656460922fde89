#include "model/layers/norm.h"

#include <type_traits>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "kernels/rms_norm.h"
#include "model/layers/kernel_types.h"

namespace aurum::model {

at::Tensor plain_rms_norm(const at::Tensor& x, const at::Tensor& weight, const NormKind& kind) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor normed = wide * at::rsqrt(wide.pow(2).mean(-1, true) + kind.eps);
  const at::Tensor scale = kind.adds_one ? 1.0 + weight.to(at::kFloat) : weight;
  if (kind.rounds_last) return (normed * scale.to(at::kFloat)).to(x.scalar_type());
  return normed.to(x.scalar_type()) * scale;
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <typename T>
kernels::RmsNormRows<T> kernel_shape(const at::Tensor& x, const at::Tensor& weight,
                                     const NormKind& kind) {
  return {.rows = x.numel() / weight.numel(),
          .size = weight.numel(),
          .weight = kernel_data<T>(weight),
          .adds_one = kind.adds_one,
          .rounds_last = kind.rounds_last,
          .eps = static_cast<float>(kind.eps)};
}

// Calls body(S{}, T{}) with the kernel types of the residual stream and of the weight.
template <typename Body>
void with_norm_types(const at::Tensor& x, const at::Tensor& weight, const Body& body) {
  if (x.scalar_type() == weight.scalar_type()) {
    with_kernel_type(x, [&]<typename T>(T) { body(T{}, T{}); });
  } else {
    AURUM_CHECK(x.scalar_type() == at::kFloat && weight.scalar_type() == at::kBFloat16);
    body(float{}, kernels::BFloat16{});
  }
}

// Forward: {norm(x)}, or {x + branch, norm(x + branch)} when there is a branch. The sum has the
// dtype of x, the norm that of the weight.
class RmsNormFunction : public torch::autograd::Function<RmsNormFunction> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& x,
                               const std::optional<at::Tensor>& branch, const at::Tensor& weight,
                               const NormKind* kind) {
    at::Tensor out = at::empty(x.sizes(), weight.options()), sum = branch ? at::empty_like(x) : x;
    at::Tensor inverse_rms = at::empty({x.numel() / weight.numel()}, x.options().dtype(at::kFloat));
    with_norm_types(x, weight, [&]<typename S, typename T>(S, T) {
      kernels::rms_norm_rows(kernel_shape<T>(x, weight, *kind), kernel_data<S>(x),
                             branch ? kernel_data<T>(*branch) : nullptr,
                             branch ? mutable_kernel_data<S>(sum) : nullptr,
                             mutable_kernel_data<T>(out), inverse_rms.mutable_data_ptr<float>());
    });
    context->save_for_backward({sum, weight, inverse_rms});
    context->saved_data["kind"] = reinterpret_cast<std::int64_t>(kind);
    context->saved_data["has_branch"] = branch.has_value();
    return branch ? variable_list{sum, out} : variable_list{out};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &inverse_rms = saved[2];
    const auto* kind = reinterpret_cast<const NormKind*>(context->saved_data["kind"].toInt());
    const bool has_branch = context->saved_data["has_branch"].toBool();
    const at::Tensor dsum =
        has_branch && gradients[0].defined() ? gradients[0].contiguous() : at::Tensor();
    if (!gradients.back().defined()) {
      const at::Tensor dbranch = dsum.defined() ? dsum.to(weight.scalar_type()) : dsum;
      return {dsum, dbranch, at::Tensor(), at::Tensor()};
    }
    const at::Tensor dout = gradients.back().contiguous();
    at::Tensor dx = at::empty_like(x), dbranch = dx;
    at::Tensor dweight = at::empty(weight.sizes(), inverse_rms.options());
    with_norm_types(x, weight, [&]<typename S, typename T>(S, T) {
      const bool rounds_branch = has_branch && !std::is_same_v<S, T>;
      if (rounds_branch) dbranch = at::empty(x.sizes(), weight.options());
      const kernels::RmsNormGradients<S, T> rows{
          .out = kernel_data<T>(dout),
          .sum = dsum.defined() ? kernel_data<S>(dsum) : nullptr,
          .x = mutable_kernel_data<S>(dx),
          .branch = rounds_branch ? mutable_kernel_data<T>(dbranch) : nullptr,
          .weight = dweight.mutable_data_ptr<float>()};
      kernels::rms_norm_rows_backward(kernel_shape<T>(x, weight, *kind), kernel_data<S>(x),
                                      inverse_rms.const_data_ptr<float>(), rows);
    });
    return {dx, has_branch ? dbranch : at::Tensor(), dweight.to(weight.scalar_type()),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor Norm::operator()(const at::Tensor& x) const {
  if (kind.is_layer_norm) return layer_norm(x);
  if (!x.is_cpu()) return plain_rms_norm(x, weight, kind).to(weight.scalar_type());
  return RmsNormFunction::apply(x.contiguous(), std::optional<at::Tensor>(), weight, &kind)[0];
}

std::pair<at::Tensor, at::Tensor> Norm::add(const at::Tensor& x, const at::Tensor& branch) const {
  if (kind.is_layer_norm || !x.is_cpu()) {
    const at::Tensor sum = x + branch;
    return {sum, (*this)(sum)};
  }
  const auto results = RmsNormFunction::apply(
      x.contiguous(), std::optional<at::Tensor>(branch.contiguous()), weight, &kind);
  return {results[0], results[1]};
}

at::Tensor Norm::layer_norm(const at::Tensor& x) const {
  return at::layer_norm(x, weight.sizes(), weight.to(x.scalar_type()), bias.to(x.scalar_type()),
                        kind.eps)
      .to(weight.scalar_type());
}

}  // namespace aurum::model

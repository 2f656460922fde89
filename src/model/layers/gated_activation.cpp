#include "model/layers/gated_activation.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/gated_unit.h"
#include "model/layers/kernel_types.h"

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

kernels::PointwiseActivation kernel_kind(std::int64_t kind) {
  return static_cast<weights::Activation>(kind) == weights::Activation::kSilu
             ? kernels::PointwiseActivation::kSilu
             : kernels::PointwiseActivation::kGeluTanh;
}

class GatedUnitFunction : public torch::autograd::Function<GatedUnitFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& gate_up,
                            std::int64_t kind) {
    const std::int64_t rows = gate_up.size(0), size = gate_up.size(1) / 2;
    at::Tensor out = at::empty({rows, size}, gate_up.options());
    with_kernel_type(gate_up, [&]<typename T>(T) {
      kernels::gated_unit(kernel_kind(kind), kernel_data<T>(gate_up), rows, size,
                          mutable_kernel_data<T>(out));
    });
    context->save_for_backward({gate_up});
    context->saved_data["kind"] = kind;
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const at::Tensor gate_up = context->get_saved_variables()[0];
    const at::Tensor dout = gradients[0].contiguous();
    at::Tensor result = at::empty_like(gate_up);
    with_kernel_type(gate_up, [&]<typename T>(T) {
      kernels::gated_unit_backward(kernel_kind(context->saved_data["kind"].toInt()),
                                   kernel_data<T>(gate_up), kernel_data<T>(dout), dout.size(0),
                                   dout.size(1), mutable_kernel_data<T>(result));
    });
    return {result, at::Tensor()};
  }
};

}  // namespace

at::Tensor apply_activation(const MlpActivation& activation, const at::Tensor& gate_up) {
  const bool has_kernel = gate_up.is_cpu() && activation.gated && !activation.clamped;
  if (!has_kernel) return plain_activation(activation, gate_up);
  return GatedUnitFunction::apply(gate_up.contiguous(), static_cast<std::int64_t>(activation.kind));
}

at::Tensor plain_activation(const MlpActivation& activation, const at::Tensor& gate_up) {
  if (!activation.gated) return activate(activation.kind, gate_up);
  const auto halves = gate_up.chunk(2, -1);
  if (activation.clamped) return clamped_swiglu(*activation.clamped, halves[0], halves[1]);
  return activate(activation.kind, halves[0]) * halves[1];
}

}  // namespace aurum::model

#include "model/layers/checkpointing.h"

#include <torch/csrc/autograd/custom_function.h>

namespace aurum::model {

namespace {

using Segment = std::function<at::Tensor(const at::Tensor&)>;

// Carries the segment through the autograd context, which holds only tensors and plain values.
struct SegmentHolder : torch::CustomClassHolder {
  explicit SegmentHolder(Segment s) : segment(std::move(s)) {}
  Segment segment;
};

class Checkpointed : public torch::autograd::Function<Checkpointed> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const Segment& segment) {
    context->save_for_backward({x});
    context->saved_data["segment"] =
        c10::IValue::make_capsule(c10::make_intrusive<SegmentHolder>(segment));
    const at::AutoGradMode no_grad(false);
    return segment(x);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto holder = c10::static_intrusive_pointer_cast<SegmentHolder>(
        context->saved_data["segment"].toCapsule());
    const at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_(true);
    {
      const at::AutoGradMode grad(true);
      holder->segment(x).backward(gradients[0]);
    }
    return {x.grad(), at::Tensor()};
  }
};

}  // namespace

at::Tensor run_checkpointed(const at::Tensor& x, Segment segment) {
  return Checkpointed::apply(x, segment);
}

}  // namespace aurum::model

#include "model/layers/linear.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "model/layers/matrix_products.h"

namespace aurum::model {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// W as [out, in] and not as stored: products with a transposed view go through libtorch.
at::Tensor output_major(const Linear& linear) {
  return linear.input_major ? linear.weight.t() : linear.weight;
}

// The gradient of each leaf is a slice of the gradient of the whole.
void append_slices(const std::vector<Leaf>& leaves, const at::Tensor& gradient,
                   variable_list& out) {
  std::int64_t row = 0;
  for (const Leaf& leaf : leaves) {
    const std::int64_t rows = leaf.tensor.size(0);
    out.push_back(gradient.defined() ? gradient.slice(0, row, row + rows) : gradient);
    row += rows;
  }
}

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  // `leaves` is what autograd gives gradients to: the weight leaves, then the bias leaves.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, at::TensorList leaves,
                            const Linear* linear) {
    context->save_for_backward({x});
    context->saved_data["linear"] = reinterpret_cast<std::int64_t>(linear);
    context->saved_data["trains"] = std::any_of(
        leaves.begin(), leaves.end(), [](const at::Tensor& leaf) { return leaf.requires_grad(); });
    return linear_product(x, output_major(*linear), linear->bias);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto* linear = reinterpret_cast<const Linear*>(context->saved_data["linear"].toInt());
    const at::Tensor &x = saved[0], &dy = gradients[0];
    const bool trains = context->saved_data["trains"].toBool();
    at::Tensor dx, dweight, dbias;
    if (context->needs_input_grad(0)) dx = input_gradient(dy, output_major(*linear));
    if (trains) dweight = linear->input_major ? weight_gradient(x, dy) : weight_gradient(dy, x);
    if (trains && linear->bias.defined()) dbias = dy.sum(0);
    variable_list result{dx};
    append_slices(linear->weight_leaves, dweight, result);
    append_slices(linear->bias_leaves, dbias, result);
    result.emplace_back();
    return result;
  }
};

at::Tensor frozen_product(const Linear& linear, const at::Tensor& x) {
  return linear.blocks.empty() ? linear_product(x, output_major(linear), linear.bias)
                               : linear_product(x, linear.blocks, linear.bias);
}

at::Tensor frozen_product_backward(const Linear& linear, const at::Tensor& dy) {
  return linear.blocks.empty() ? input_gradient(dy, output_major(linear))
                               : input_gradient(dy, linear.blocks);
}

at::Tensor times_mask(const at::Tensor& x, const at::Tensor& mask) {
  return mask.defined() ? x * mask : x;
}

// Adds scale * B A dropout(x) to the adapter's part of y; returns A dropout(x).
at::Tensor add_low_rank(const LowRank& part, const AdapterDropout& dropout, const at::Tensor& x,
                        at::Tensor& y) {
  const at::Tensor inner =
      times_mask(x, dropout_mask(dropout, part.module, x)).mm(part.a.detach().t());
  y.slice(1, part.begin, part.end).addmm_(inner, part.b.detach().t(), 1.0, part.scale);
  return inner;
}

struct DropoutHolder : torch::CustomClassHolder {
  explicit DropoutHolder(AdapterDropout d) : dropout(d) {}
  AdapterDropout dropout;
};

// A frozen W, in blocks or not, and its adapters. Keeps x and each A dropout(x); W is expanded and
// the masks are drawn again in the backward pass.
class FrozenLinearFunction : public torch::autograd::Function<FrozenLinearFunction> {
 public:
  // `leaves` is what autograd gives gradients to: A and B of each adapter.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, at::TensorList,
                            const Linear* linear) {
    at::Tensor y = frozen_product(*linear, x);
    variable_list saved{x};
    AdapterDropout dropout;
    for (const LowRank& part : linear->low_rank) {
      dropout = *part.dropout;
      saved.push_back(add_low_rank(part, dropout, x, y));
    }
    context->save_for_backward(saved);
    context->saved_data["linear"] = reinterpret_cast<std::int64_t>(linear);
    context->saved_data["dropout"] =
        c10::IValue::make_capsule(c10::make_intrusive<DropoutHolder>(dropout));
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto* linear = reinterpret_cast<const Linear*>(context->saved_data["linear"].toInt());
    const auto holder = c10::static_intrusive_pointer_cast<DropoutHolder>(
        context->saved_data["dropout"].toCapsule());
    const at::Tensor &x = saved[0], &dy = gradients[0];
    variable_list result(1);
    if (context->needs_input_grad(0)) result[0] = frozen_product_backward(*linear, dy);
    for (std::size_t i = 0; i < linear->low_rank.size(); ++i) {
      const LowRank& part = linear->low_rank[i];
      const at::Tensor mask = dropout_mask(holder->dropout, part.module, x);
      const at::Tensor dpart = dy.slice(1, part.begin, part.end) * part.scale;
      const at::Tensor dinner = dpart.mm(part.b.detach());
      result.push_back(dinner.t().mm(times_mask(x, mask)));
      result.push_back(dpart.t().mm(saved[i + 1]));
      if (result[0].defined()) result[0].add_(times_mask(dinner.mm(part.a.detach()), mask));
    }
    result.emplace_back();
    return result;
  }
};

at::Tensor run_frozen(const Linear& linear, const at::Tensor& x) {
  if (at::GradMode::is_enabled()) {  // linear_product alone keeps no graph
    std::vector<at::Tensor> leaves;
    for (const LowRank& part : linear.low_rank) {
      leaves.push_back(part.a);
      leaves.push_back(part.b);
    }
    return FrozenLinearFunction::apply(x, at::TensorList(leaves), &linear);
  }
  at::Tensor y = frozen_product(linear, x);
  for (const LowRank& part : linear.low_rank) add_low_rank(part, *part.dropout, x, y);
  return y;
}

}  // namespace

at::Tensor expand(const weights::TensorView& view, at::ScalarType dtype) {
  at::Tensor out = at::empty(view.shape, dtype);
  expand_into(view, 0, out);
  view.drop_pages();
  return out;
}

at::Tensor expand_rows(const weights::TensorView& view, std::int64_t begin, std::int64_t end,
                       at::ScalarType dtype) {
  AURUM_CHECK(view.shape.size() == 2 && 0 <= begin && begin <= end && end <= view.shape[0],
              "rows [{}, {})", begin, end);
  at::Tensor out = at::empty({end - begin, view.shape[1]}, dtype);
  expand_into(view, begin * view.shape[1], out);
  return out;
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  if (weight_leaves.empty()) return run_frozen(*this, x);
  if (!at::GradMode::is_enabled()) {
    return linear_product(x, output_major(*this), bias);
  }
  std::vector<at::Tensor> leaves;
  for (const Leaf& leaf : weight_leaves) leaves.push_back(leaf.tensor);
  for (const Leaf& leaf : bias_leaves) leaves.push_back(leaf.tensor);
  return LinearFunction::apply(x, at::TensorList(leaves), this);
}

}  // namespace aurum::model

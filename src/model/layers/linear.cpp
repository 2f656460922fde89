#include "model/layers/linear.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"

namespace aurum::model {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// All blocks of a Linear, one under another, in this thread's scratch memory: valid until the next
// call on this thread.
at::Tensor expand_to_scratch(const std::vector<weights::TensorView>& blocks, at::ScalarType dtype) {
  thread_local at::Tensor scratch;
  const std::int64_t columns = blocks.front().shape[1];
  std::int64_t rows = 0;
  for (const weights::TensorView& view : blocks) rows += view.shape[0];
  const bool fits =
      scratch.defined() && scratch.scalar_type() == dtype && scratch.numel() >= rows * columns;
  if (!fits) scratch = at::empty({rows * columns}, dtype);
  at::Tensor weight = scratch.slice(0, 0, rows * columns).view({rows, columns});
  std::int64_t row = 0;
  for (const weights::TensorView& view : blocks) {
    expand_into(view, 0, weight.slice(0, row, row + view.shape[0]));
    row += view.shape[0];
  }
  return weight;
}

std::optional<at::Tensor> optional_tensor(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
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
    context->save_for_backward({x, linear->weight});
    context->saved_data["linear"] = reinterpret_cast<std::int64_t>(linear);
    context->saved_data["trains"] = std::any_of(
        leaves.begin(), leaves.end(), [](const at::Tensor& leaf) { return leaf.requires_grad(); });
    const at::Tensor& weight = linear->weight;
    return at::linear(x, linear->input_major ? weight.t() : weight, optional_tensor(linear->bias));
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto* linear = reinterpret_cast<const Linear*>(context->saved_data["linear"].toInt());
    const at::Tensor &x = saved[0], &weight = saved[1], &dy = gradients[0];
    const bool trains = context->saved_data["trains"].toBool();
    at::Tensor dx, dweight, dbias;
    if (context->needs_input_grad(0)) dx = dy.mm(linear->input_major ? weight.t() : weight);
    if (trains) dweight = linear->input_major ? x.t().mm(dy) : dy.t().mm(x);
    if (trains && linear->bias.defined()) dbias = dy.sum(0);
    variable_list result{dx};
    append_slices(linear->weight_leaves, dweight, result);
    append_slices(linear->bias_leaves, dbias, result);
    result.emplace_back();
    return result;
  }
};

at::Tensor frozen_product(const Linear& linear, const at::Tensor& x) {
  const at::Tensor weight = linear.blocks.empty()
                                ? linear.weight
                                : expand_to_scratch(linear.blocks, x.scalar_type()).to(x.device());
  return at::linear(x, linear.input_major ? weight.t() : weight, optional_tensor(linear.bias));
}

at::Tensor frozen_product_backward(const Linear& linear, const at::Tensor& dy) {
  if (!linear.blocks.empty())
    return dy.mm(expand_to_scratch(linear.blocks, dy.scalar_type()).to(dy.device()));
  return dy.mm(linear.input_major ? linear.weight.t() : linear.weight);
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
  const bool keeps_graph = at::GradMode::is_enabled();
  if (keeps_graph && (!linear.blocks.empty() || !linear.low_rank.empty())) {
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

void expand_into(const weights::TensorView& view, std::int64_t first, at::Tensor out) {
  AURUM_CHECK(out.is_contiguous());
  const auto size = static_cast<std::size_t>(out.numel());
  if (out.scalar_type() == at::kFloat) {
    weights::dequantize_in_parallel(view, first, std::span(out.mutable_data_ptr<float>(), size));
  } else {
    auto* data = static_cast<std::uint16_t*>(out.mutable_data_ptr());
    weights::dequantize_in_parallel(view, first, std::span(data, size));
  }
}

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
    return at::linear(x, input_major ? weight.t() : weight, optional_tensor(bias));
  }
  std::vector<at::Tensor> leaves;
  for (const Leaf& leaf : weight_leaves) leaves.push_back(leaf.tensor);
  for (const Leaf& leaf : bias_leaves) leaves.push_back(leaf.tensor);
  return LinearFunction::apply(x, at::TensorList(leaves), this);
}

}  // namespace aurum::model

#include "model/layers/linear.h"

#include <ATen/ATen.h>

#include "base/error.h"

namespace aurum::model {

namespace {

void expand_into(const weights::TensorView& view, std::int64_t first, at::Tensor& out) {
  const auto size = static_cast<std::size_t>(out.numel());
  if (out.scalar_type() == at::kFloat) {
    weights::dequantize_in_parallel(view, first, std::span(out.mutable_data_ptr<float>(), size));
  } else {
    auto* data = static_cast<std::uint16_t*>(out.mutable_data_ptr());
    weights::dequantize_in_parallel(view, first, std::span(data, size));
  }
}

}  // namespace

at::Tensor expand(const weights::TensorView& view, at::ScalarType dtype) {
  at::Tensor out = at::empty(view.shape, dtype);
  expand_into(view, 0, out);
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
  const std::optional<at::Tensor> optional_bias =
      bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
  if (!blocks) return at::linear(x, weight, optional_bias);
  return at::linear(x, expand(*blocks, x.scalar_type()), optional_bias);
}

}  // namespace aurum::model

#include "serve/served_weights.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include <fmt/ranges.h>

#include "base/error.h"

namespace aurum::serve {

namespace {

std::int64_t count_of(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace

ServedWeights::ServedWeights(const weights::Checkpoint& checkpoint, model::ComputeDType dtype)
    : config_(checkpoint.config()), is_bfloat16_(dtype == model::ComputeDType::kBFloat16) {
  // Building a decoder once tells which tensors there are.
  const auto find = [&](const std::string& name) -> std::optional<rollout::MemoryTensor> {
    if (!checkpoint.contains(name)) return std::nullopt;
    Tensor& tensor = tensors_[name];
    if (tensor.values.empty()) load(checkpoint.tensor(name), tensor);
    return view_of(tensor);
  };
  rollout::make_decoder_model(config_, find);
}

void ServedWeights::load(const weights::TensorView& view, Tensor& tensor) const {
  tensor.shape = view.shape;
  const auto count = static_cast<std::size_t>(view.num_values());
  tensor.values.resize(count * (is_bfloat16_ ? 2 : 4));
  if (is_bfloat16_) {
    weights::dequantize_in_parallel(
        view, 0, std::span(reinterpret_cast<std::uint16_t*>(tensor.values.data()), count));
  } else {
    weights::dequantize_in_parallel(
        view, 0, std::span(reinterpret_cast<float*>(tensor.values.data()), count));
  }
}

rollout::MemoryTensor ServedWeights::view_of(const Tensor& tensor) const {
  const bool is_matrix = tensor.shape.size() == 2;
  return {.data = tensor.values.data(),
          .is_bfloat16 = is_bfloat16_,
          .rows = is_matrix ? tensor.shape[0] : 1,
          .cols = is_matrix ? tensor.shape[1] : count_of(tensor.shape)};
}

rollout::DecoderModel ServedWeights::make_model() const {
  const auto find = [this](const std::string& name) -> std::optional<rollout::MemoryTensor> {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return std::nullopt;
    return view_of(found->second);
  };
  return rollout::make_decoder_model(config_, find);
}

void ServedWeights::update(const std::string& name, const std::string& dtype,
                           const std::vector<std::int64_t>& shape,
                           std::span<const std::byte> bytes) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw InputError(name + ": the served model has no such tensor");
  Tensor& tensor = found->second;
  if (shape != tensor.shape) {
    throw InputError(fmt::format("{}: has the shape [{}], not [{}]", name,
                                 fmt::join(tensor.shape, ", "), fmt::join(shape, ", ")));
  }
  const bool is_float32 = dtype == "float32";
  if (!is_float32 && dtype != "bfloat16") {
    throw InputError(fmt::format("{}: dtype is \"{}\"; supported: float32, bfloat16", name, dtype));
  }
  const auto wanted = static_cast<std::size_t>(count_of(shape)) * (is_float32 ? 4 : 2);
  if (bytes.size() != wanted) {
    throw InputError(fmt::format("{}: {} bytes came, not {}", name, bytes.size(), wanted));
  }
  weights::TensorView view;
  view.name = name;
  view.dtype = is_float32 ? weights::DType::kFloat32 : weights::DType::kBFloat16;
  view.shape = shape;
  view.bytes = bytes;
  load(view, tensor);
}

std::size_t ServedWeights::largest_tensor_bytes() const {
  std::size_t largest = 0;
  for (const auto& [name, tensor] : tensors_) {
    largest = std::max(largest, static_cast<std::size_t>(count_of(tensor.shape)) * 4);
  }
  return largest;
}

}  // namespace aurum::serve

#include <bit>
#include <utility>

#include "base/error.h"
#include "rollout/decoder_model.h"

namespace aurum::rollout {

namespace {

using weights::DType;
using weights::TensorView;

template <typename T>
bool is_usable_in_place(const TensorView& tensor, DType wanted) {
  return tensor.dtype == wanted &&
         reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % sizeof(T) == 0;
}

template <typename T>
std::shared_ptr<const std::vector<T>> expanded(const TensorView& tensor) {
  auto values = std::make_shared<std::vector<T>>(static_cast<std::size_t>(tensor.num_values()));
  weights::dequantize_in_parallel(tensor, 0, std::span(*values));
  return values;
}

// The memory of an expanded tensor, or of a mapped one, whose pages are given back with it.
template <typename T>
std::shared_ptr<const void> load(const TensorView& tensor, DType wanted) {
  if (is_usable_in_place<T>(tensor, wanted)) {
    return {tensor.bytes.data(), [tensor](const void*) { tensor.drop_pages(); }};
  }
  const auto values = expanded<T>(tensor);
  tensor.drop_pages();
  return {values, values->data()};
}

MemoryTensor load_tensor(const TensorView& tensor, bool is_bfloat16) {
  const auto owner = is_bfloat16 ? load<std::uint16_t>(tensor, DType::kBFloat16)
                                 : load<float>(tensor, DType::kFloat32);
  const bool is_matrix = tensor.shape.size() == 2;
  return {.data = owner.get(),
          .is_bfloat16 = is_bfloat16,
          .rows = is_matrix ? tensor.shape[0] : 1,
          .cols = is_matrix ? tensor.shape[1] : tensor.num_values(),
          .owner = owner};
}

}  // namespace

DecoderModel make_decoder_model(std::shared_ptr<const weights::Checkpoint> checkpoint,
                                model::ComputeDType dtype) {
  const bool is_bfloat16 = dtype == model::ComputeDType::kBFloat16;
  const auto find = [&](const std::string& name) -> std::optional<MemoryTensor> {
    if (!checkpoint->contains(name)) return std::nullopt;
    return load_tensor(checkpoint->tensor(name), is_bfloat16);
  };
  return make_decoder_model(checkpoint->config(), find);
}

}  // namespace aurum::rollout

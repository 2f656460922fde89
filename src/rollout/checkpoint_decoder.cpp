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

// Loads tensors by name and keeps them.
class Store {
 public:
  Store(std::shared_ptr<const weights::Checkpoint> checkpoint, bool is_bfloat16)
      : checkpoint_(std::move(checkpoint)), is_bfloat16_(is_bfloat16) {}

  std::optional<MemoryTensor> find(const std::string& name) {
    if (!checkpoint_->contains(name)) return std::nullopt;
    const TensorView tensor = checkpoint_->tensor(name);
    const bool is_matrix = tensor.shape.size() == 2;
    return MemoryTensor{.data = is_bfloat16_ ? load<std::uint16_t>(tensor, DType::kBFloat16)
                                             : load<float>(tensor, DType::kFloat32),
                        .is_bfloat16 = is_bfloat16_,
                        .rows = is_matrix ? tensor.shape[0] : 1,
                        .cols = is_matrix ? tensor.shape[1] : tensor.num_values()};
  }

 private:
  template <typename T>
  const void* load(const TensorView& tensor, DType wanted) {
    if (is_usable_in_place<T>(tensor, wanted)) {
      kept_.push_back(tensor.keep_alive);
      return tensor.bytes.data();
    }
    auto values = expanded<T>(tensor);
    kept_.push_back(values);
    return values->data();
  }

  std::shared_ptr<const weights::Checkpoint> checkpoint_;
  bool is_bfloat16_;
  std::vector<std::shared_ptr<const void>> kept_;
};

}  // namespace

DecoderModel make_decoder_model(std::shared_ptr<const weights::Checkpoint> checkpoint,
                                model::ComputeDType dtype) {
  const weights::ModelConfig& config = checkpoint->config();
  auto store = std::make_shared<Store>(checkpoint, dtype == model::ComputeDType::kBFloat16);
  DecoderModel model =
      make_decoder_model(config, [&](const std::string& name) { return store->find(name); });
  using Keep = std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>;
  model.keep_alive = std::make_shared<Keep>(model.keep_alive, store);
  return model;
}

}  // namespace aurum::rollout

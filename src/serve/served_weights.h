#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rollout/decoder_model.h"
#include "weights/checkpoint.h"

namespace aurum::serve {

// A model's weights in memory of our own, to be replaced tensor by tensor while it is served.
class ServedWeights {
 public:
  // Expands everything that the decoder needs to `dtype`.
  ServedWeights(const weights::Checkpoint& checkpoint, model::ComputeDType dtype);

  // A decoder over the weights as they are now, which must outlive it; an update ends its use.
  rollout::DecoderModel make_model() const;

  // Replaces a tensor by `bytes`, little-endian "float32" or "bfloat16" values. Throws InputError
  // for an unknown name, another shape or a wrong number of bytes.
  void update(const std::string& name, const std::string& dtype,
              const std::vector<std::int64_t>& shape, std::span<const std::byte> bytes);

  std::size_t largest_tensor_bytes() const;  // as float32

 private:
  struct Tensor {
    std::vector<std::int64_t> shape;
    std::vector<std::byte> values;
  };

  void load(const weights::TensorView& view, Tensor& tensor) const;
  rollout::MemoryTensor view_of(const Tensor& tensor) const;

  weights::ModelConfig config_;
  bool is_bfloat16_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace aurum::serve

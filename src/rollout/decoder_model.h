#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "model/causal_lm.h"
#include "rollout/decoder.h"
#include "weights/checkpoint.h"

namespace aurum::rollout {

// A tensor in memory, float32 or bfloat16, dense and row-major. A vector has one row.
struct MemoryTensor {
  const void* data = nullptr;
  bool is_bfloat16 = false;
  std::int64_t rows = 0, cols = 0;
  std::shared_ptr<const void> owner;  // of the data; null: who finds tensors keeps them
};

// Finds a tensor by its Hugging Face name; nullopt when the model has none.
using FindTensor = std::function<std::optional<MemoryTensor>(const std::string& name)>;

// Puts a decoder together from named tensors. Matrices are packed where the processor can use that,
// and let go of; what is borrowed is kept alive by its owner. Norms and biases are copied, GPT-2's
// [in, out] matrices are transposed into memory of their own. With `adapter`, "STEM.lora_A.weight"
// and "STEM.lora_B.weight" correct a matrix where they are found. Throws InputError that names a
// missing tensor.
DecoderModel make_decoder_model(const weights::ModelConfig& config, const FindTensor& find,
                                const weights::LoraConfig* adapter = nullptr);

// What a decoder shares with the model that trains, where it does not pack.
enum class TrainedWeights { kShared, kCopied };

// A trainable model's own weights and adapter, as they are now: packed (once more the memory of
// bfloat16 weights), or as views. With kCopied nothing that trains is shared, so that the decoder
// keeps these weights while the model goes on; what is frozen always is.
DecoderModel make_decoder_model(model::CausalLm& model,
                                TrainedWeights trained = TrainedWeights::kShared);

// Straight from files: tensors that are stored in the wanted dtype are used, or packed, where they
// are mapped; everything else (GGUF blocks too) is expanded first, one fused product at a time.
DecoderModel make_decoder_model(std::shared_ptr<const weights::Checkpoint> checkpoint,
                                model::ComputeDType dtype);

}  // namespace aurum::rollout

#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "weights/checkpoint.h"
#include "weights/lora_config.h"

namespace aurum::weights {

// The trained matrices of one adapted weight: it grows by scale * b a.
struct LoraMatrices {
  TensorView a;  // [rank, in]
  TensorView b;  // [out, rank]
  double scale = 1.0;
  bool is_transposed = false;  // the weight is stored [in, out]: GPT-2, and embeddings
};

// A LoRA adapter in peft's format: adapter_config.json and adapter_model.safetensors in a folder.
class LoraAdapter {
 public:
  // Throws FormatError for what peft would not load, and for tensors it does not know.
  static std::shared_ptr<const LoraAdapter> open(const std::filesystem::path& folder);

  const LoraConfig& config() const { return config_; }
  // By the name of the weight in the base model, "model.layers.0.self_attn.q_proj.weight".
  const std::map<std::string, LoraMatrices>& matrices() const { return matrices_; }
  // Weights and biases that were trained whole and take the place of the base model's.
  const std::map<std::string, TensorView>& replacements() const { return replacements_; }

 private:
  void add(const TensorView& view, const std::string& source);
  void check(const std::string& source);

  LoraConfig config_;
  std::map<std::string, LoraMatrices> matrices_;
  std::map<std::string, TensorView> replacements_;
};

// The base model with the adapter's weights added in; changed tensors are float32. Throws
// FormatError when the adapter does not fit the model.
std::shared_ptr<const Checkpoint> merge_adapter(std::shared_ptr<const Checkpoint> base,
                                                std::shared_ptr<const LoraAdapter> adapter);

// One adapted linear layer to write: `module` is "model.layers.0.self_attn.q_proj".
struct LoraTensorsToWrite {
  std::string module;
  TensorToWrite a, b;  // their names are not used
};

// Writes the folder that peft loads, each file whole or not at all, the configuration last.
void write_adapter(const std::filesystem::path& folder, const LoraConfig& config,
                   const std::vector<LoraTensorsToWrite>& layers);

}  // namespace aurum::weights

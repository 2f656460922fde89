#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "weights/checkpoint.h"
#include "weights/expert_tensors.h"

namespace aurum::testing_support {

// The models of tests/golden/model, which tools/model_goldens.py made.
inline const std::vector<std::string>& golden_students() {
  static const std::vector<std::string> kNames = {"llama_llama3", "mistral",       "qwen2",
                                                  "qwen3_yarn",   "gemma2",        "gemma3_text",
                                                  "smollm3",      "phi3_longrope", "gpt2_scaled"};
  return kNames;
}
inline const std::vector<std::string>& golden_teachers() {
  static const std::vector<std::string> kNames = {"qwen3_moe", "gpt_oss"};
  return kNames;
}
inline std::vector<std::string> golden_models() {
  std::vector<std::string> names = golden_students();
  names.insert(names.end(), golden_teachers().begin(), golden_teachers().end());
  return names;
}

// One of them: its config, its weights (by the formula of the script, or stored as "weight.NAME"),
// and the tensors that transformers computed.
class GoldenModel : public weights::Checkpoint {
 public:
  explicit GoldenModel(const std::string& name)
      : path_(std::string(AURUM_SOURCE_DIR) + "/tests/golden/model/" + name),
        config_(weights::parse_model_config(read_file(path_.string() + ".json"), name)),
        file_(weights::SafetensorsFile::open(path_.string() + ".safetensors")) {}

  const weights::ModelConfig& config() const override { return config_; }
  const std::filesystem::path& path() const override { return path_; }
  std::vector<std::string> tensor_names() const override { return {}; }

  bool contains(std::string_view name) const override {
    if (has_stored_weights()) return find(name) || weights::has_expert_tensor(name, finder());
    // transformers gives a gradient to every parameter, so the file knows which exist.
    return file_->find("gradient." + std::string(name)) != nullptr;
  }

  weights::TensorView tensor(std::string_view name,
                             std::optional<std::vector<std::int64_t>> shape) const override {
    if (!has_stored_weights()) return made(std::string(name));
    const weights::TensorView* found = find(name);
    weights::TensorView view = found ? *found : weights::find_expert_tensor(name, finder()).value();
    if (shape && view.shape != *shape) throw std::runtime_error(std::string(name));
    return view;
  }

  // What transformers computed: "logits.0", "gradient.NAME", "greedy".
  const weights::TensorView& expected(const std::string& name) const {
    const weights::TensorView* found = file_->find(name);
    if (!found) throw std::runtime_error("no golden tensor " + name);
    return *found;
  }
  static std::vector<std::vector<std::int32_t>> rows() { return {{1, 5, 2, 9, 4, 7, 3}, {3, 3}}; }

 private:
  bool has_stored_weights() const { return config_.experts.has_value(); }
  const weights::TensorView* find(std::string_view name) const {
    return file_->find("weight." + std::string(name));
  }
  weights::FindTensorView finder() const {
    return [this](std::string_view name) { return find(name); };
  }

  weights::TensorView made(const std::string& name) const {
    weights::TensorView view = expected("gradient." + name);
    auto values = std::make_shared<std::vector<float>>();
    std::uint32_t seed = 2166136261U;
    for (const char byte : name) seed = (seed ^ static_cast<unsigned char>(byte)) * 16777619U;
    const bool is_norm = name.find("norm") != name.npos || name.find(".ln_") != name.npos;
    const bool is_scale = is_norm && name.ends_with("weight") && !config_.norm_adds_one;
    for (std::int64_t i = 0; i < view.num_values(); ++i) {
      const std::uint32_t mixed = static_cast<std::uint32_t>(i) * 2654435761U + seed;
      double value = static_cast<double>(mixed) / 4294967296.0 - 0.5;
      if (view.shape.size() == 1) value = value * 0.4 + (is_scale ? 1.0 : 0.0);
      values->push_back(static_cast<float>(value));
    }
    view.bytes = std::as_bytes(std::span(*values));
    view.keep_alive = values;
    return view;
  }

  std::filesystem::path path_;
  weights::ModelConfig config_;
  std::shared_ptr<const weights::SafetensorsFile> file_;
};

}  // namespace aurum::testing_support

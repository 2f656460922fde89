#include "weights/lora_adapter.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"

namespace aurum::weights {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "base_model.model.";

// `name` without `end`, when it ends so.
std::optional<std::string> without_end(const std::string& name, std::string_view end) {
  if (!name.ends_with(end)) return std::nullopt;
  return name.substr(0, name.size() - end.size());
}

}  // namespace

std::shared_ptr<const LoraAdapter> LoraAdapter::open(const fs::path& folder) {
  const std::string config_path = (folder / "adapter_config.json").string();
  const fs::path file_path = folder / "adapter_model.safetensors";
  if (!fs::exists(config_path)) {
    throw InputError(fmt::format("{}: no adapter_config.json. Give the folder of a LoRA adapter.",
                                 folder.string()));
  }
  auto adapter = std::make_shared<LoraAdapter>();
  adapter->config_ = parse_lora_config(read_file(config_path), config_path);
  if (!fs::exists(file_path)) {
    throw InputError(
        fmt::format("{}: no adapter_model.safetensors. Save the adapter with "
                    "safetensors.",
                    folder.string()));
  }
  const auto file = SafetensorsFile::open(file_path);
  for (const TensorView& view : file->tensors()) adapter->add(view, file_path.string());
  adapter->check(file_path.string());
  return adapter;
}

void LoraAdapter::add(const TensorView& view, const std::string& source) {
  if (!view.name.starts_with(kPrefix)) {
    throw FormatError(
        fmt::format("{}: tensor {} does not begin with {}. Save the adapter with "
                    "peft.",
                    source, view.name, kPrefix));
  }
  const std::string name = view.name.substr(kPrefix.size());
  if (const auto module = without_end(name, ".lora_A.weight")) {
    matrices_[*module + ".weight"].a = view;
  } else if (const auto with_b = without_end(name, ".lora_B.weight")) {
    matrices_[*with_b + ".weight"].b = view;
  } else if (const auto embedding = without_end(name, ".lora_embedding_A")) {
    matrices_[*embedding + ".weight"].a = view;
    matrices_[*embedding + ".weight"].is_transposed = true;
  } else if (const auto embedding_b = without_end(name, ".lora_embedding_B")) {
    matrices_[*embedding_b + ".weight"].b = view;
  } else if (const auto base = without_end(name, ".base_layer.weight")) {
    replacements_[*base + ".weight"] = view;
  } else if (name.find("lora_") != std::string::npos) {
    throw FormatError(
        fmt::format("{}: tensor {} is of a kind that is not supported. Merge the adapter with "
                    "peft.",
                    source, view.name));
  } else {
    replacements_[name] = view;
  }
}

void LoraAdapter::check(const std::string& source) {
  for (auto& [name, matrices] : matrices_) {
    const auto& a = matrices.a.shape;
    const auto& b = matrices.b.shape;
    if (a.size() != 2 || b.size() != 2 || a[0] != b[1] || a[0] < 1) {
      throw FormatError(fmt::format(
          "{}: the matrices of {} are [{}] and [{}], not [rank, in] and [out, rank]. Save the "
          "adapter again.",
          source, name, fmt::join(a, ", "), fmt::join(b, ", ")));
    }
    const std::string_view module = std::string_view(name).substr(0, name.rfind('.'));
    matrices.scale = config_.scale_of(module, a[0]);
    matrices.is_transposed = matrices.is_transposed || config_.fan_in_fan_out;
  }
}

void write_adapter(const fs::path& folder, const LoraConfig& config,
                   const std::vector<LoraTensorsToWrite>& layers) {
  make_folder(folder);
  std::vector<TensorToWrite> tensors;
  for (const LoraTensorsToWrite& layer : layers) {
    tensors.push_back(layer.a);
    tensors.back().name = fmt::format("{}{}.lora_A.weight", kPrefix, layer.module);
    tensors.push_back(layer.b);
    tensors.back().name = fmt::format("{}{}.lora_B.weight", kPrefix, layer.module);
  }
  write_safetensors_file(folder / "adapter_model.safetensors", std::move(tensors));
  write_file(folder / "adapter_config.json", lora_config_json(config));
}

}  // namespace aurum::weights

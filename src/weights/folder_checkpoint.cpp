#include "weights/folder_checkpoint.h"

#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "weights/checkpoint_errors.h"
#include "weights/expert_tensors.h"

namespace aurum::weights {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using OptionalShape = std::optional<std::vector<std::int64_t>>;

bool is_ignored(std::string_view name, const ModelConfig& config) {
  if (name.ends_with("rotary_emb.inv_freq")) return true;
  return config.layer_norm && (name.ends_with(".attn.bias") || name.ends_with("attn.masked_bias"));
}

class FolderCheckpoint final : public Checkpoint {
 public:
  explicit FolderCheckpoint(const fs::path& folder) : path_(folder) {
    const std::string config_path = (folder / "config.json").string();
    config_ = parse_model_config(read_file(config_path), config_path);
    read_generation_config();
    for (const fs::path& file : weight_files()) add_file(file);
    check_index();
    const char* head = "lm_head.weight";
    if (config_.tie_word_embeddings) tensors_.erase(head);
    config_.tie_word_embeddings = !tensors_.contains(head);
    set_dtype();
  }

  const ModelConfig& config() const override { return config_; }
  const fs::path& path() const override { return path_; }

  std::vector<std::string> tensor_names() const override {
    std::vector<std::string> names;
    for (const auto& entry : tensors_) names.push_back(entry.first);
    return names;
  }

  bool contains(std::string_view name) const override {
    return find(name) || has_expert_tensor(name, finder());
  }

  TensorView tensor(std::string_view name, OptionalShape shape) const override {
    const TensorView* found = find(name);
    const auto expert = found ? std::nullopt : find_expert_tensor(name, finder());
    if (!found && !expert) fail_missing(path_.string(), name);
    const TensorView& view = found ? *found : *expert;
    check_tensor_shape(path_.string(), name, view.shape, shape);
    return view;
  }

 private:
  const TensorView* find(std::string_view name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }
  FindTensorView finder() const {
    return [this](std::string_view name) { return find(name); };
  }

  void read_generation_config() {
    const std::string path = (path_ / "generation_config.json").string();
    const auto text = read_file_if_present(path);
    if (!text) return;
    config_.generation_config_json = *text;
    const Json json = Json::parse(*text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) {
      throw FormatError(fmt::format("{}: not a JSON object. Correct or remove it.", path));
    }
    const auto eos = json.find("eos_token_id");
    if (eos == json.end() || eos->is_null()) return;
    const Json list = eos->is_array() ? *eos : Json::array({*eos});
    config_.eos_token_ids.clear();
    for (const Json& id : list) {
      if (!id.is_number_integer()) {
        throw FormatError(fmt::format("{}: /eos_token_id must be an id or a list of ids.", path));
      }
      config_.eos_token_ids.push_back(id.get<std::int64_t>());
    }
  }

  std::vector<fs::path> weight_files() {
    if (const fs::path single = path_ / "model.safetensors"; fs::exists(single)) return {single};
    const std::string index_path = (path_ / "model.safetensors.index.json").string();
    const auto text = read_file_if_present(index_path);
    if (!text) {
      const bool pickled = fs::exists(path_ / "pytorch_model.bin") ||
                           fs::exists(path_ / "pytorch_model.bin.index.json");
      throw InputError(fmt::format("{}: no model.safetensors or model.safetensors.index.json. {}",
                                   path_.string(),
                                   pickled ? "pytorch_model.bin is not supported: save the model "
                                             "with safetensors."
                                           : "Give a whole model folder or a .gguf file."));
    }
    return files_of_index(index_path, Json::parse(*text, nullptr, false));
  }

  std::vector<fs::path> files_of_index(const std::string& index_path, const Json& index) {
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
      throw FormatError(fmt::format("{}: /weight_map is missing. Fetch it again.", index_path));
    }
    std::set<std::string> names;
    for (const auto& [tensor, file] : index["weight_map"].items()) {
      const std::string name = file.is_string() ? file.get<std::string>() : "";
      // A shard lies in the model's own folder, and nowhere else.
      if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
          name.find('\\') != std::string::npos) {
        throw FormatError(
            fmt::format("{}: /weight_map/{} is not a file name.", index_path, tensor));
      }
      names.insert(name);
      expected_.emplace_back(tensor, name);
    }
    std::vector<fs::path> files;
    for (const std::string& name : names) {
      files.push_back(path_ / name);
      if (fs::exists(files.back())) continue;
      throw FormatError(fmt::format("{}: is missing, and {} names it. Fetch it, too.",
                                    files.back().string(), index_path));
    }
    return files;
  }

  void add_file(const fs::path& path) {
    const auto file = SafetensorsFile::open(path);
    for (TensorView view : file->tensors()) {
      raw_names_.insert(view.name);
      if (is_ignored(view.name, config_)) continue;
      view.name = canonical_tensor_name(view.name, config_);
      if (view.name.empty()) continue;
      const std::string name = view.name;
      if (!tensors_.emplace(name, std::move(view)).second) {
        throw FormatError(fmt::format("{}: tensor {} is in the model twice.", path.string(), name));
      }
    }
  }

  void check_index() const {
    for (const auto& [tensor, file] : expected_) {
      if (!raw_names_.contains(tensor)) fail_missing((path_ / file).string(), tensor);
    }
  }

  void set_dtype() {
    const auto found =
        tensors_.find(config_.layer_norm ? "transformer.wte.weight" : "model.embed_tokens.weight");
    if (found == tensors_.end()) return;
    const DType dtype = found->second.dtype;
    if (dtype == DType::kFloat32) config_.dtype = "float32";
    if (dtype == DType::kBFloat16) config_.dtype = "bfloat16";
    if (dtype == DType::kFloat16) config_.dtype = "float16";
  }

  fs::path path_;
  ModelConfig config_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::set<std::string> raw_names_;
  std::vector<std::pair<std::string, std::string>> expected_;  // tensor, file
};

}  // namespace

std::string canonical_tensor_name(std::string_view name, const ModelConfig& config) {
  const auto strip = [&](std::string_view prefix) {
    if (!name.starts_with(prefix)) return false;
    name.remove_prefix(prefix.size());
    return true;
  };
  if (name == "language_model.lm_head.weight" || name == "lm_head.weight") return "lm_head.weight";
  for (const char* other : {"vision_tower.", "multi_modal_projector.", "model.vision_tower.",
                            "model.multi_modal_projector."}) {
    if (name.starts_with(other)) return "";
  }
  const bool wrapped = strip("language_model.model.") || strip("model.language_model.");
  const std::string_view base = config.layer_norm ? "transformer." : "model.";
  if (!wrapped) strip(base);
  return fmt::format("{}{}", base, name);
}

std::shared_ptr<const Checkpoint> open_folder_checkpoint(const fs::path& folder) {
  return std::make_shared<FolderCheckpoint>(folder);
}

}  // namespace aurum::weights

#include "weights/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "weights/expert_tensors.h"
#include "weights/gguf.h"
#include "weights/gguf_config.h"
#include "weights/gguf_names.h"

namespace aurum::weights {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using OptionalShape = std::optional<std::vector<std::int64_t>>;

void check_shape(const std::string& file, std::string_view name,
                 const std::vector<std::int64_t>& shape, const OptionalShape& expected) {
  if (!expected || *expected == shape) return;
  throw FormatError(fmt::format(
      "{}: tensor {} has the shape [{}], but the configuration asks for [{}]. The weights and the "
      "configuration do not belong together.",
      file, name, fmt::join(shape, ", "), fmt::join(*expected, ", ")));
}

[[noreturn]] void fail_missing(const std::string& file, std::string_view name) {
  throw FormatError(
      fmt::format("{}: tensor {} is missing. Fetch the model's files again.", file, name));
}

// --- Hugging Face folders ---

bool is_ignored(std::string_view name, const ModelConfig& config) {
  if (name.ends_with("rotary_emb.inv_freq")) return true;
  return config.layer_norm && (name.ends_with(".attn.bias") || name.ends_with("attn.masked_bias"));
}

// Brings the names of wrappers and base models to those of the causal model; "" for parts that are
// not the language model.
std::string canonical_name(std::string_view name, const ModelConfig& config) {
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
    check_shape(path_.string(), name, view.shape, shape);
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
    for (const std::string& name : names) files.push_back(path_ / name);
    return files;
  }

  void add_file(const fs::path& path) {
    const auto file = SafetensorsFile::open(path);
    for (TensorView view : file->tensors()) {
      raw_names_.insert(view.name);
      if (is_ignored(view.name, config_)) continue;
      view.name = canonical_name(view.name, config_);
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

// --- GGUF files ---

// Owns what a transformed view points to.
TensorView owning_view(TensorView view, std::vector<std::byte> bytes) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  view.bytes = *owner;
  view.keep_alive = owner;
  return view;
}

TensorView owning_float_view(TensorView view, const std::vector<float>& values) {
  view.dtype = DType::kFloat32;
  const auto bytes = std::as_bytes(std::span(values));
  return owning_view(std::move(view), {bytes.begin(), bytes.end()});
}

std::vector<float> expanded(const TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.num_values()));
  dequantize_to_float32(view, 0, values);
  return values;
}

// Undoes the row permutation that llama.cpp's converter applies to Q and K: row (2 i + h) of a head
// goes back to row (h * d/2 + i). Blocks lie inside rows, so whole rows move as they are.
TensorView unpermuted(TensorView view, std::int64_t num_heads) {
  const std::int64_t rows = view.shape[0], head_rows = rows / num_heads, half = head_rows / 2;
  const std::size_t row_bytes = view.bytes.size() / static_cast<std::size_t>(rows);
  std::vector<std::byte> out(view.bytes.size());
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t in_head = row % head_rows;
    const std::int64_t target = row - in_head + (in_head % 2) * half + in_head / 2;
    std::memcpy(out.data() + static_cast<std::size_t>(target) * row_bytes,
                view.bytes.data() + static_cast<std::size_t>(row) * row_bytes, row_bytes);
  }
  return owning_view(std::move(view), std::move(out));
}

TensorView minus_one(const TensorView& view) {
  std::vector<float> values = expanded(view);
  for (float& value : values) value -= 1.0F;
  return owning_float_view(view, values);
}

TensorView transposed(TensorView view) {
  const std::vector<float> values = expanded(view);
  const auto rows = static_cast<std::size_t>(view.shape[0]);
  const auto columns = static_cast<std::size_t>(view.shape[1]);
  std::vector<float> out(values.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) out[c * rows + r] = values[r * columns + c];
  }
  std::swap(view.shape[0], view.shape[1]);
  return owning_float_view(std::move(view), out);
}

enum class Correction { kNone, kUnpermuteQ, kUnpermuteK, kMinusOne, kTranspose };

Correction correction_of(std::string_view name, const GgufTensor& tensor,
                         const ModelConfig& config) {
  const bool permuted = config.model_type == "llama" || config.model_type == "smollm3";
  if (permuted && name.find("self_attn.q_proj.") != name.npos) return Correction::kUnpermuteQ;
  if (permuted && name.find("self_attn.k_proj.") != name.npos) return Correction::kUnpermuteK;
  if (config.norm_adds_one && name.ends_with("norm.weight")) return Correction::kMinusOne;
  const bool is_gpt2_matrix =
      config.layer_norm && tensor.shape.size() == 2 && name.find(".c_") != name.npos;
  return is_gpt2_matrix ? Correction::kTranspose : Correction::kNone;
}

class GgufCheckpoint final : public Checkpoint {
 public:
  explicit GgufCheckpoint(const fs::path& path)
      : path_(path), file_(GgufFile::open(path.string())) {
    refuse_split();
    config_ = model_config_of_gguf(*file_);
    for (const GgufTensor& tensor : file_->tensors()) add(tensor);
  }

  const ModelConfig& config() const override { return config_; }
  const fs::path& path() const override { return path_; }

  std::vector<std::string> tensor_names() const override {
    std::vector<std::string> names;
    for (const auto& entry : entries_) names.push_back(entry.first);
    return names;
  }

  bool contains(std::string_view name) const override { return entries_.contains(name); }

  TensorView tensor(std::string_view name, OptionalShape shape) const override {
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail_missing(path_.string(), name);
    const Entry& entry = found->second;
    TensorView view{found->first, *entry.tensor->dtype, entry.tensor->shape, entry.tensor->bytes,
                    file_};
    view = corrected(std::move(view), entry.correction);
    check_shape(path_.string(), name, view.shape, shape);
    return view;
  }

 private:
  struct Entry {
    const GgufTensor* tensor;
    Correction correction;
  };

  void refuse_split() const {
    const auto parts = file_->integer("split.count");
    if (parts && *parts > 1) {
      throw InputError(
          fmt::format("{}: one of {} parts of a split model. Join them first: "
                      "llama-gguf-split --merge FIRST OUT.",
                      path_.string(), *parts));
    }
  }

  void add(const GgufTensor& tensor) {
    const auto name = hugging_face_name(tensor.name, config_);
    if (!name) {
      if (!tensor.name.starts_with("rope_f")) {
        log_warning("{}: tensor {} is unknown and ignored", path_.string(), tensor.name);
      }
      return;
    }
    if (!tensor.dtype) {
      throw FormatError(fmt::format(
          "{}: tensor {} is of type {}, which is not supported. Supported: F32, F16, BF16, Q4_0, "
          "Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K; use a file of such a type.",
          path_.string(), tensor.name, tensor.type_name));
    }
    const Correction correction = correction_of(*name, tensor, config_);
    check_rows(tensor, correction);
    entries_.emplace(*name, Entry{&tensor, correction});
  }

  std::int64_t heads_of(Correction correction) const {
    return correction == Correction::kUnpermuteQ ? config_.num_heads : config_.num_kv_heads;
  }

  void check_rows(const GgufTensor& tensor, Correction correction) const {
    if (correction != Correction::kUnpermuteQ && correction != Correction::kUnpermuteK) return;
    const std::int64_t rows = tensor.shape.empty() ? 0 : tensor.shape[0];
    if (rows == heads_of(correction) * config_.head_dim) return;
    throw FormatError(fmt::format("{}: tensor {} has {} rows, expected {} heads of {}.",
                                  path_.string(), tensor.name, rows, heads_of(correction),
                                  config_.head_dim));
  }

  TensorView corrected(TensorView view, Correction correction) const {
    switch (correction) {
      case Correction::kUnpermuteQ:
      case Correction::kUnpermuteK:
        return unpermuted(std::move(view), heads_of(correction));
      case Correction::kMinusOne:
        return minus_one(view);
      case Correction::kTranspose:
        return transposed(std::move(view));
      case Correction::kNone:
        break;
    }
    return view;
  }

  fs::path path_;
  std::shared_ptr<const GgufFile> file_;
  ModelConfig config_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace

std::shared_ptr<const Checkpoint> open_checkpoint(const fs::path& path) {
  if (!fs::exists(path)) {
    throw IoError(fmt::format("{}: no such file or folder. Check the path.", path.string()));
  }
  if (fs::is_directory(path)) {
    if (!fs::exists(path / "config.json")) {
      throw InputError(
          fmt::format("{}: a folder without config.json is not a model. Give a "
                      "Hugging Face model folder or a .gguf file.",
                      path.string()));
    }
    return std::make_shared<FolderCheckpoint>(path);
  }
  if (path.extension() == ".gguf") return std::make_shared<GgufCheckpoint>(path);
  throw InputError(fmt::format("{}: neither a model folder nor a .gguf file. Give one of these.",
                               path.string()));
}

}  // namespace aurum::weights

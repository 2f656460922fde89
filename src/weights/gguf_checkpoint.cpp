#include "weights/gguf_checkpoint.h"

#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "weights/checkpoint_errors.h"
#include "weights/expert_tensors.h"
#include "weights/gguf.h"
#include "weights/gguf_config.h"
#include "weights/gguf_corrections.h"
#include "weights/gguf_names.h"

namespace aurum::weights {
namespace {

namespace fs = std::filesystem;
using OptionalShape = std::optional<std::vector<std::int64_t>>;

class GgufCheckpoint final : public Checkpoint {
 public:
  explicit GgufCheckpoint(const fs::path& path)
      : path_(path), file_(GgufFile::open(path.string())) {
    config_ = model_config_of_gguf(*file_);
    for (const GgufTensor& tensor : file_->tensors()) add(tensor);
  }

  const ModelConfig& config() const override { return config_; }
  const fs::path& path() const override { return path_; }

  std::vector<std::string> tensor_names() const override {
    std::vector<std::string> names;
    for (const auto& entry : entries_) names.push_back(entry.first);
    for (const auto& entry : stacked_experts_) {
      append_expert_names(entry.first, entry.second.shape[0], names);
    }
    return names;
  }

  bool contains(std::string_view name) const override {
    return entries_.contains(name) || has_expert_tensor(name, expert_finder());
  }

  TensorView tensor(std::string_view name, OptionalShape shape) const override {
    if (const auto expert = find_expert_tensor(name, expert_finder())) {
      check_tensor_shape(path_.string(), name, expert->shape, shape);
      return *expert;
    }
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail_missing(path_.string(), name);
    const Entry& entry = found->second;
    TensorView view{found->first,        *entry.tensor->dtype, entry.tensor->shape,
                    entry.tensor->bytes, entry.tensor->file,   entry.tensor->file};
    view = undo_correction(std::move(view), entry.correction, config_);
    check_tensor_shape(path_.string(), name, view.shape, shape);
    return view;
  }

 private:
  struct Entry {
    const GgufTensor* tensor;
    Correction correction;
  };

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
          "Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K, MXFP4; use a file of such a type.",
          path_.string(), tensor.name, tensor.type_name));
    }
    if (config_.experts && name->find(".mlp.experts.") != name->npos) {
      stacked_experts_.emplace(*name, TensorView{*name, *tensor.dtype, tensor.shape, tensor.bytes,
                                                 tensor.file, tensor.file});
      return;
    }
    const Correction correction = correction_of(*name, tensor.shape.size(), config_);
    check_rows(tensor, correction);
    entries_.emplace(*name, Entry{&tensor, correction});
  }

  FindTensorView expert_finder() const {
    return [this](std::string_view name) -> const TensorView* {
      const auto found = stacked_experts_.find(name);
      return found == stacked_experts_.end() ? nullptr : &found->second;
    };
  }

  void check_rows(const GgufTensor& tensor, Correction correction) const {
    const std::int64_t heads = permuted_heads(correction, config_);
    if (heads == 0) return;
    const std::int64_t rows = tensor.shape.empty() ? 0 : tensor.shape[0];
    if (rows == heads * config_.head_dim) return;
    throw FormatError(fmt::format("{}: tensor {} has {} rows, expected {} heads of {}.",
                                  path_.string(), tensor.name, rows, heads, config_.head_dim));
  }

  fs::path path_;
  std::shared_ptr<const GgufFile> file_;
  ModelConfig config_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, TensorView, std::less<>> stacked_experts_;  // [experts, out, in], [.., out]
};

}  // namespace

std::shared_ptr<const Checkpoint> open_gguf_checkpoint(const fs::path& path) {
  return std::make_shared<GgufCheckpoint>(path);
}

}  // namespace aurum::weights

// Adds a LoRA adapter into a checkpoint: W += scale * B A, computed in float32 and rounded by
// whoever writes the result.

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/parallel.h"
#include "weights/folder_checkpoint.h"
#include "weights/lora_adapter.h"

namespace aurum::weights {
namespace {

using OptionalShape = std::optional<std::vector<std::int64_t>>;

std::vector<float> expanded(const TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.num_values()));
  dequantize_in_parallel(view, 0, std::span(values));
  return values;
}

// weight [rows, columns] += scale * left [rows, rank] right [rank, columns].
void add_product(std::vector<float>& weight, const std::vector<float>& left,
                 const std::vector<float>& right, std::size_t rank, float scale) {
  const std::size_t columns = right.size() / rank, rows = left.size() / rank;
  parallel_for(static_cast<std::int64_t>(rows), 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sum(columns);
    for (auto row = static_cast<std::size_t>(begin); row < static_cast<std::size_t>(end); ++row) {
      std::fill(sum.begin(), sum.end(), 0.0F);
      for (std::size_t k = 0; k < rank; ++k) {
        const float factor = left[row * rank + k];
        const float* source = right.data() + k * columns;
        for (std::size_t c = 0; c < columns; ++c) sum[c] += factor * source[c];
      }
      float* target = weight.data() + row * columns;
      for (std::size_t c = 0; c < columns; ++c) target[c] += scale * sum[c];
    }
  });
}

std::vector<float> transposed(const std::vector<float>& values, std::size_t rows) {
  const std::size_t columns = values.size() / rows;
  std::vector<float> out(values.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) out[c * rows + r] = values[r * columns + c];
  }
  return out;
}

class MergedCheckpoint final : public Checkpoint {
 public:
  MergedCheckpoint(std::shared_ptr<const Checkpoint> base,
                   std::shared_ptr<const LoraAdapter> adapter)
      : base_(std::move(base)), adapter_(std::move(adapter)), config_(base_->config()) {
    for (const auto& [name, view] : adapter_->replacements()) {
      const std::string canonical = canonical_tensor_name(name, config_);
      // A head that was trained by itself is no longer the embedding.
      if (canonical == "lm_head.weight") untie();
      if (!base_->contains(canonical) && canonical != "lm_head.weight") fail_unknown(name);
      replacements_.emplace(canonical, &view);
    }
    for (const auto& [name, matrices] : adapter_->matrices()) {
      const std::string canonical = canonical_tensor_name(name, config_);
      if (!base_->contains(canonical)) fail_unknown(name);
      check_shape(name, base_->tensor(canonical).shape, matrices);
      matrices_.emplace(canonical, &matrices);
    }
  }

  const ModelConfig& config() const override { return config_; }
  const std::filesystem::path& path() const override { return base_->path(); }

  std::vector<std::string> tensor_names() const override {
    std::vector<std::string> names = base_->tensor_names();
    if (!base_->contains("lm_head.weight") && contains("lm_head.weight")) {
      names.emplace_back("lm_head.weight");
    }
    return names;
  }

  bool contains(std::string_view name) const override {
    return base_->contains(name) || replacements_.contains(name);
  }

  TensorView tensor(std::string_view name, OptionalShape shape) const override {
    TensorView view = unmerged(name, shape);
    const auto found = matrices_.find(name);
    if (found == matrices_.end()) return view;
    const LoraMatrices& matrices = *found->second;
    std::vector<float> weight = expanded(view), a = expanded(matrices.a), b = expanded(matrices.b);
    const auto rank = static_cast<std::size_t>(matrices.a.shape[0]);
    const auto scale = static_cast<float>(matrices.scale);
    if (matrices.is_transposed) {
      const auto out = static_cast<std::size_t>(matrices.b.shape[0]);
      add_product(weight, transposed(a, rank), transposed(b, out), rank, scale);
    } else {
      add_product(weight, b, a, rank, scale);
    }
    const auto owner = std::make_shared<const std::vector<float>>(std::move(weight));
    view.dtype = DType::kFloat32;
    view.bytes = std::as_bytes(std::span(*owner));
    view.keep_alive = owner;
    return view;
  }

 private:
  [[noreturn]] void fail_unknown(const std::string& name) const {
    throw FormatError(
        fmt::format("{}: has no tensor {}, which the adapter changes. Give the model "
                    "that the adapter was trained on{}{}.",
                    path().string(), name, adapter_->config().base_model.empty() ? "" : ": ",
                    adapter_->config().base_model));
  }

  void check_shape(const std::string& name, const std::vector<std::int64_t>& shape,
                   const LoraMatrices& matrices) const {
    std::vector<std::int64_t> expected = {matrices.b.shape[0], matrices.a.shape[1]};
    if (matrices.is_transposed) std::swap(expected[0], expected[1]);
    if (shape == expected) return;
    throw FormatError(
        fmt::format("{}: tensor {} is [{}], the adapter is for [{}]. Give the model "
                    "that the adapter was trained on.",
                    path().string(), name, fmt::join(shape, ", "), fmt::join(expected, ", ")));
  }

  void untie() {
    if (!config_.tie_word_embeddings) return;
    config_ = untied(config_);
  }

  TensorView unmerged(std::string_view name, const OptionalShape& shape) const {
    const auto found = replacements_.find(name);
    if (found == replacements_.end()) return base_->tensor(name, shape);
    TensorView view = *found->second;
    view.name = name;
    return view;
  }

  std::shared_ptr<const Checkpoint> base_;
  std::shared_ptr<const LoraAdapter> adapter_;
  ModelConfig config_;
  std::map<std::string, const LoraMatrices*, std::less<>> matrices_;
  std::map<std::string, const TensorView*, std::less<>> replacements_;
};

}  // namespace

std::shared_ptr<const Checkpoint> merge_adapter(std::shared_ptr<const Checkpoint> base,
                                                std::shared_ptr<const LoraAdapter> adapter) {
  return std::make_shared<MergedCheckpoint>(std::move(base), std::move(adapter));
}

}  // namespace aurum::weights

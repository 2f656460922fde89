#include "rollout/decoder_model.h"

#include <map>
#include <utility>

#include "base/error.h"
#include "kernels/bfloat16.h"
#include "model/families/tensor_names.h"

namespace aurum::rollout {

namespace {

using kernels::BFloat16;
using kernels::WeightMatrix;
using weights::ModelConfig;

float value_at(const MemoryTensor& tensor, std::int64_t index) {
  return tensor.is_bfloat16 ? kernels::to_float(static_cast<const BFloat16*>(tensor.data)[index])
                            : static_cast<const float*>(tensor.data)[index];
}

template <typename T>
std::shared_ptr<const void> transpose_as(const MemoryTensor& tensor) {
  auto copy = std::make_shared<std::vector<T>>(static_cast<std::size_t>(tensor.rows * tensor.cols));
  const T* from = static_cast<const T*>(tensor.data);
  for (std::int64_t r = 0; r < tensor.rows; ++r) {
    for (std::int64_t c = 0; c < tensor.cols; ++c) {
      (*copy)[static_cast<std::size_t>(c * tensor.rows + r)] = from[r * tensor.cols + c];
    }
  }
  return {copy, copy->data()};
}

// Builds the parts of one model; every name is looked up in one place.
class Builder {
 public:
  Builder(const ModelConfig& config, const FindTensor& find, const weights::LoraConfig* adapter)
      : config_(config), names_(model::tensor_names(config)), find_(find), adapter_(adapter) {}

  DecoderModel build() {
    DecoderModel model;
    model.config = config_;
    model.embedding = kept_matrix(names_.embedding);
    model.is_bfloat16 = model.embedding.is_bfloat16;
    if (!names_.positions.empty()) model.positions = kept_matrix(names_.positions);
    const bool has_head = !config_.tie_word_embeddings && find_(names_.head + ".weight");
    model.head = group({whole(require((has_head ? names_.head : names_.embedding) + ".weight"))});
    model.final_norm = norm(names_.final_norm);
    for (const model::LayerNames& names : names_.layers) model.layers.push_back(layer(names));
    model.keep_alive = std::make_shared<std::vector<std::shared_ptr<const void>>>(kept_);
    return model;
  }

 private:
  MemoryTensor require(const std::string& name) const {
    const auto tensor = find_(name);
    if (!tensor) throw InputError(fmt::format("the model has no tensor {}", name));
    return *tensor;
  }

  WeightMatrix kept_matrix(const std::string& stem) {
    const MemoryTensor tensor = require(stem + ".weight");
    kept_.push_back(tensor.owner);
    return view_of(tensor);
  }

  static WeightMatrix view_of(const MemoryTensor& tensor) {
    return {.data = tensor.data,
            .is_bfloat16 = tensor.is_bfloat16,
            .rows = tensor.rows,
            .cols = tensor.cols};
  }

  static LinearWeights whole(const MemoryTensor& tensor) {
    return {.matrix = view_of(tensor), .bias = {}, .low_rank = {}, .owner = tensor.owner};
  }

  std::vector<float> floats(const std::string& name) const {
    std::vector<float> values;
    if (const auto tensor = find_(name)) {
      for (std::int64_t i = 0; i < tensor->rows * tensor->cols; ++i) {
        values.push_back(value_at(*tensor, i));
      }
    }
    return values;
  }

  LinearWeights linear(const std::string& stem) {
    if (names_.input_major) return transposed(stem);
    LinearWeights weights = whole(require(stem + ".weight"));
    weights.bias = floats(stem + ".bias");
    weights.low_rank = low_rank(stem);
    return weights;
  }

  std::optional<LowRankWeights> low_rank(const std::string& stem) {
    const auto a = adapter_ == nullptr ? std::nullopt : find_(stem + ".lora_A.weight");
    if (!a) return std::nullopt;
    kept_.push_back(a->owner);
    return LowRankWeights{.a = view_of(*a),
                          .b = kept_matrix(stem + ".lora_B"),
                          .scale = static_cast<float>(adapter_->scale_of(stem, a->rows))};
  }

  // From [in, out].
  LinearWeights transposed(const std::string& stem) {
    const MemoryTensor tensor = require(stem + ".weight");
    const auto owner =
        tensor.is_bfloat16 ? transpose_as<BFloat16>(tensor) : transpose_as<float>(tensor);
    return {.matrix = {.data = owner.get(),
                       .is_bfloat16 = tensor.is_bfloat16,
                       .rows = tensor.cols,
                       .cols = tensor.rows},
            .bias = floats(stem + ".bias"),
            .low_rank = low_rank(stem),
            .owner = owner};
  }

  NormWeights norm(const std::string& stem) const {
    if (stem.empty()) return {};
    require(stem + ".weight");
    NormWeights result{.weight = floats(stem + ".weight"), .bias = floats(stem + ".bias")};
    if (config_.norm_adds_one) {
      for (float& weight : result.weight) weight += 1.0f;
    }
    return result;
  }

  // One fused product, packed if that is of use.
  static LinearGroup group(std::vector<LinearWeights> parts) {
    LinearGroup group{.parts = std::move(parts), .packed = nullptr};
    if (!kernels::PackedLinear::can_pack(group.parts.front().matrix)) return group;
    std::vector<WeightMatrix> views;
    for (const LinearWeights& part : group.parts) views.push_back(part.view());
    group.packed = std::make_shared<const kernels::PackedLinear>(views);
    for (LinearWeights& part : group.parts) {
      part.matrix.data = nullptr;
      part.owner.reset();
    }
    return group;
  }

  LinearGroup linears(const std::vector<std::string>& stems) {
    std::vector<LinearWeights> parts;
    for (const std::string& stem : stems) parts.push_back(linear(stem));
    return group(std::move(parts));
  }

  DecoderMlp mlp(const model::MlpNames& names) {
    return {.gate_up = linears(names.gate_up), .down = linears({names.down})};
  }

  DecoderLayer layer(const model::LayerNames& names) {
    DecoderLayer layer{.qkv = linears(names.qkv),
                       .output = linears({names.output}),
                       .input_norm = norm(names.input_norm),
                       .mlp_norm = norm(names.mlp_norm),
                       .post_attention_norm = norm(names.post_attention_norm),
                       .post_mlp_norm = norm(names.post_mlp_norm),
                       .query_norm = norm(names.query_norm),
                       .key_norm = norm(names.key_norm)};
    if (!names.sinks.empty()) {
      require(names.sinks);
      layer.sinks = floats(names.sinks);
    }
    if (names.router.empty()) {
      layer.mlp = mlp(names.mlp);
    } else {
      layer.router = linears({names.router});
    }
    for (const model::MlpNames& expert : names.experts) layer.experts.push_back(mlp(expert));
    return layer;
  }

  const ModelConfig& config_;
  model::TensorNames names_;
  const FindTensor& find_;
  const weights::LoraConfig* adapter_;
  std::vector<std::shared_ptr<const void>> kept_;
};

MemoryTensor memory_of(const at::Tensor& tensor, const std::string& name) {
  const bool is_bfloat16 = tensor.scalar_type() == at::ScalarType::BFloat16;
  AURUM_CHECK(is_bfloat16 || tensor.scalar_type() == at::ScalarType::Float, "{}", name);
  AURUM_CHECK(tensor.is_contiguous() && tensor.device().is_cpu(), "{}", name);
  const bool is_matrix = tensor.dim() == 2;
  return {.data = tensor.const_data_ptr(),
          .is_bfloat16 = is_bfloat16,
          .rows = is_matrix ? tensor.size(0) : 1,
          .cols = is_matrix ? tensor.size(1) : tensor.numel(),
          .owner = std::make_shared<at::Tensor>(tensor)};
}

}  // namespace

DecoderModel make_decoder_model(const ModelConfig& config, const FindTensor& find,
                                const weights::LoraConfig* adapter) {
  return Builder(config, find, adapter).build();
}

DecoderModel make_decoder_model(model::CausalLm& model, TrainedWeights trained) {
  // Frozen models list no parameters, and may hold blocks only.
  AURUM_CHECK(!model.parameters().empty(), "a frozen model generates from its checkpoint");
  std::map<std::string, at::Tensor> parameters;
  for (const model::NamedParameter& parameter : model.parameters()) {
    parameters.emplace(parameter.name, *parameter.tensor);
  }
  const auto find = [&](const std::string& name) -> std::optional<MemoryTensor> {
    const auto found = parameters.find(name);
    const bool trains = found != parameters.end();
    const at::Tensor tensor = trains ? found->second : model.frozen_tensor(name);
    if (!tensor.defined()) return std::nullopt;
    const bool copies = trains && trained == TrainedWeights::kCopied;
    return memory_of(
        tensor.detach().to(at::kCPU, tensor.scalar_type(), /*non_blocking=*/false, copies), name);
  };
  return make_decoder_model(model.config(), find, model.adapter_config());
}

}  // namespace aurum::rollout

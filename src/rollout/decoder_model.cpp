#include "rollout/decoder_model.h"

#include <map>
#include <utility>

#include "base/error.h"
#include "model/kernels/bfloat16.h"

namespace aurum::rollout {

namespace {

using model::BFloat16;
using model::WeightMatrix;
using weights::ModelConfig;

float value_at(const MemoryTensor& tensor, std::int64_t index) {
  return tensor.is_bfloat16 ? model::to_float(static_cast<const BFloat16*>(tensor.data)[index])
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
  Builder(const ModelConfig& config, const FindTensor& find) : config_(config), find_(find) {}

  DecoderModel build() {
    DecoderModel model;
    model.config = config_;
    const bool gpt2 = config_.layer_norm;
    model.embedding = matrix(gpt2 ? "transformer.wte" : "model.embed_tokens");
    model.is_bfloat16 = model.embedding.is_bfloat16;
    if (gpt2) model.positions = matrix("transformer.wpe");
    const bool has_head = !config_.tie_word_embeddings && find_("lm_head.weight");
    model.head = has_head ? matrix("lm_head") : model.embedding;
    model.final_norm = norm(gpt2 ? "transformer.ln_f" : "model.norm");
    for (std::int64_t i = 0; i < config_.num_layers; ++i) {
      model.layers.push_back(gpt2 ? gpt2_layer(fmt::format("transformer.h.{}.", i))
                                  : llama_layer(fmt::format("model.layers.{}.", i)));
    }
    model.keep_alive = std::make_shared<std::vector<std::shared_ptr<const void>>>(owned_);
    return model;
  }

 private:
  MemoryTensor require(const std::string& name) const {
    const auto tensor = find_(name);
    if (!tensor) throw InputError(fmt::format("the model has no tensor {}", name));
    return *tensor;
  }

  WeightMatrix matrix(const std::string& stem) const {
    const MemoryTensor tensor = require(stem + ".weight");
    return {.data = tensor.data,
            .is_bfloat16 = tensor.is_bfloat16,
            .rows = tensor.rows,
            .cols = tensor.cols};
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
    return {.matrix = matrix(stem), .bias = floats(stem + ".bias")};
  }

  // GPT-2 stores its matrices [in, out].
  LinearWeights transposed(const std::string& stem) {
    const MemoryTensor tensor = require(stem + ".weight");
    owned_.push_back(tensor.is_bfloat16 ? transpose_as<BFloat16>(tensor)
                                        : transpose_as<float>(tensor));
    return {.matrix = {.data = owned_.back().get(),
                       .is_bfloat16 = tensor.is_bfloat16,
                       .rows = tensor.cols,
                       .cols = tensor.rows},
            .bias = floats(stem + ".bias")};
  }

  NormWeights norm(const std::string& stem) const {
    require(stem + ".weight");
    return optional_norm(stem);
  }
  NormWeights optional_norm(const std::string& stem) const {
    NormWeights result{.weight = floats(stem + ".weight"), .bias = floats(stem + ".bias")};
    if (config_.norm_adds_one) {
      for (float& weight : result.weight) weight += 1.0f;
    }
    return result;
  }

  DecoderLayer llama_layer(const std::string& prefix) {
    DecoderLayer layer;
    const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
    for (const char* part : {"qkv_proj", "q_proj", "k_proj", "v_proj"}) {
      const bool is_fused_part = std::string(part) == "qkv_proj";
      if (is_fused_part == config_.fused_qkv) layer.qkv.push_back(linear(attention + part));
    }
    if (config_.fused_gate_up) {
      layer.gate_up.push_back(linear(mlp + "gate_up_proj"));
    } else {
      if (config_.gated_mlp) layer.gate_up.push_back(linear(mlp + "gate_proj"));
      layer.gate_up.push_back(linear(mlp + "up_proj"));
    }
    layer.output = linear(attention + "o_proj");
    layer.down = linear(mlp + "down_proj");
    layer.input_norm = norm(prefix + "input_layernorm");
    if (config_.post_norms) {
      layer.post_attention_norm = norm(prefix + "post_attention_layernorm");
      layer.mlp_norm = norm(prefix + "pre_feedforward_layernorm");
      layer.post_mlp_norm = norm(prefix + "post_feedforward_layernorm");
    } else {
      layer.mlp_norm = norm(prefix + "post_attention_layernorm");
    }
    if (config_.qk_norm) {
      layer.query_norm = norm(attention + "q_norm");
      layer.key_norm = norm(attention + "k_norm");
    }
    return layer;
  }

  DecoderLayer gpt2_layer(const std::string& prefix) {
    DecoderLayer layer;
    layer.qkv.push_back(transposed(prefix + "attn.c_attn"));
    layer.output = transposed(prefix + "attn.c_proj");
    layer.gate_up.push_back(transposed(prefix + "mlp.c_fc"));
    layer.down = transposed(prefix + "mlp.c_proj");
    layer.input_norm = norm(prefix + "ln_1");
    layer.mlp_norm = norm(prefix + "ln_2");
    return layer;
  }

  const ModelConfig& config_;
  const FindTensor& find_;
  std::vector<std::shared_ptr<const void>> owned_;
};

MemoryTensor view_of(const at::Tensor& tensor, const std::string& name) {
  const bool is_bfloat16 = tensor.scalar_type() == at::ScalarType::BFloat16;
  AURUM_CHECK(is_bfloat16 || tensor.scalar_type() == at::ScalarType::Float, "{}", name);
  AURUM_CHECK(tensor.is_contiguous() && tensor.device().is_cpu(), "{}", name);
  const bool is_matrix = tensor.dim() == 2;
  return {.data = tensor.const_data_ptr(),
          .is_bfloat16 = is_bfloat16,
          .rows = is_matrix ? tensor.size(0) : 1,
          .cols = is_matrix ? tensor.size(1) : tensor.numel()};
}

}  // namespace

DecoderModel make_decoder_model(const ModelConfig& config, const FindTensor& find) {
  return Builder(config, find).build();
}

DecoderModel make_decoder_model(model::CausalLm& model) {
  // Frozen models list no parameters, and may hold blocks only.
  AURUM_CHECK(!model.parameters().empty(), "a frozen model generates from its checkpoint");
  std::map<std::string, MemoryTensor> tensors;
  for (const model::NamedParameter& parameter : model.parameters()) {
    tensors.emplace(parameter.name, view_of(*parameter.tensor, parameter.name));
  }
  return make_decoder_model(model.config(),
                            [&](const std::string& name) -> std::optional<MemoryTensor> {
                              const auto found = tensors.find(name);
                              if (found == tensors.end()) return std::nullopt;
                              return found->second;
                            });
}

}  // namespace aurum::rollout

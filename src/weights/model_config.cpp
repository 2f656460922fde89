// Turns config.json into ModelConfig. The defaults are those that transformers applies to absent
// keys of each architecture.

#include "weights/model_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "weights/config_keys.h"
#include "weights/config_layers.h"
#include "weights/config_rope.h"

namespace aurum::weights {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 11> kSupported = {
    "llama",       "mistral", "qwen2", "qwen3", "qwen3_moe", "gemma2",
    "gemma3_text", "smollm3", "phi3",  "gpt2",  "gpt_oss"};
constexpr std::int64_t kMaxLayers = 10'000;

// --- the parts that differ by family ---

Activation read_activation(const ConfigKeys& keys, const ModelConfig& config) {
  // Gemma's early files say "gelu" in hidden_act and mean the tanh form.
  if (config.model_type.starts_with("gemma")) {
    const std::string name = keys.string("hidden_activation").value_or("gelu_pytorch_tanh");
    if (name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
    keys.fail("hidden_activation", fmt::format("is {}; supported: gelu_pytorch_tanh", name));
  }
  const std::string_view key = config.layer_norm ? "activation_function" : "hidden_act";
  const std::string name = keys.string(key).value_or(config.layer_norm ? "gelu_new" : "silu");
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return Activation::kGeluTanh;
  keys.fail(key, fmt::format("is {}; supported: silu, gelu_pytorch_tanh, gelu_new", name));
}

void read_gpt2_sizes(const ConfigKeys& keys, ModelConfig& config) {
  config.vocab_size = keys.size("vocab_size", 50257);
  config.hidden_size = keys.size("n_embd", 768);
  config.num_layers = keys.size("n_layer", 12);
  config.num_heads = config.num_kv_heads = keys.size("n_head", 12);
  config.intermediate_size = keys.size("n_inner", 4 * config.hidden_size);
  config.max_position_embeddings = keys.size("n_positions", 1024);
  config.norm_eps = keys.number("layer_norm_epsilon").value_or(1e-5);
}

std::int64_t default_head_dim(const ModelConfig& config) {
  if (config.model_type == "qwen3") return 128;
  if (config.model_type.starts_with("gemma")) return 256;
  if (config.model_type == "gpt_oss") return 64;
  return config.hidden_size / config.num_heads;
}

void read_sizes(const ConfigKeys& keys, ModelConfig& config) {
  if (config.layer_norm) {
    read_gpt2_sizes(keys, config);
  } else {
    config.vocab_size = keys.size("vocab_size");
    config.hidden_size = keys.size("hidden_size");
    config.num_layers = keys.size("num_hidden_layers");
    config.num_heads = keys.size("num_attention_heads");
    config.num_kv_heads = keys.size("num_key_value_heads", config.num_heads);
    config.intermediate_size = keys.size("intermediate_size");
    config.max_position_embeddings = keys.size("max_position_embeddings", 2048);
    const bool wide_eps = config.model_type == "phi3" || config.model_type == "gpt_oss";
    config.norm_eps = keys.number("rms_norm_eps").value_or(wide_eps ? 1e-5 : 1e-6);
  }
  if (config.num_layers > kMaxLayers) keys.fail("num_hidden_layers", "is too large");
  if (config.num_heads % config.num_kv_heads != 0) {
    keys.fail("num_key_value_heads", fmt::format("({}) must divide num_attention_heads ({})",
                                                 config.num_kv_heads, config.num_heads));
  }
  if (!keys.find("head_dim") && default_head_dim(config) == 0) {
    keys.fail("num_attention_heads", "is larger than hidden_size");
  }
  config.head_dim = keys.size("head_dim", default_head_dim(config));
  if (config.head_dim % 2 != 0) keys.fail("head_dim", "must be even");
}

void read_biases(const ConfigKeys& keys, ModelConfig& config) {
  const std::string& type = config.model_type;
  if (type == "gpt2") {
    config.qkv_bias = config.output_bias = config.mlp_bias = true;
    return;
  }
  if (type == "qwen2") {
    config.qkv_bias = true;
    return;
  }
  if (type == "mistral" || type == "phi3") return;
  config.qkv_bias = config.output_bias = keys.boolean("attention_bias", type == "gpt_oss");
  if (type == "llama" || type == "smollm3") config.mlp_bias = keys.boolean("mlp_bias", false);
}

void read_gemma(const ConfigKeys& keys, ModelConfig& config) {
  config.norm_adds_one = config.norm_rounds_last = true;
  config.post_norms = config.scale_embedding = true;
  const double scalar = keys.number("query_pre_attn_scalar").value_or(256.0);
  if (!(scalar > 0.0)) keys.fail("query_pre_attn_scalar", "must be positive");
  config.attention_scale = 1.0 / std::sqrt(scalar);
  config.final_logit_softcap = keys.number("final_logit_softcapping");
  if (config.model_type == "gemma3_text") return;  // its attention soft cap is never applied
  config.attention_softcap = keys.number("attn_logit_softcapping");
  if (!keys.contains("attn_logit_softcapping")) config.attention_softcap = 50.0;
  if (!keys.contains("final_logit_softcapping")) config.final_logit_softcap = 30.0;
}

ExpertConfig read_experts(const ConfigKeys& keys, std::int64_t fallback_count) {
  ExpertConfig experts;
  experts.num_experts = keys.size("num_local_experts", keys.size("num_experts", fallback_count));
  experts.experts_per_token = keys.size("num_experts_per_tok", keys.size("experts_per_token", 4));
  if (experts.experts_per_token > experts.num_experts) {
    keys.fail("num_experts_per_tok", "is larger than the number of experts");
  }
  return experts;
}

void read_qwen3_moe(const ConfigKeys& keys, ModelConfig& config) {
  ExpertConfig experts = read_experts(keys, 128);
  experts.experts_per_token = keys.size("num_experts_per_tok", 8);
  experts.intermediate_size = keys.size("moe_intermediate_size", 768);
  experts.normalize_weights = keys.boolean("norm_topk_prob", false);
  const auto dense =
      keys.list<std::int64_t>("mlp_only_layers").value_or(std::vector<std::int64_t>{});
  const std::int64_t step = keys.size("decoder_sparse_step", 1);
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    const bool listed = std::find(dense.begin(), dense.end(), layer) != dense.end();
    experts.is_sparse.push_back(!listed && (layer + 1) % step == 0);
  }
  config.experts = std::move(experts);
}

void read_gpt_oss(const ConfigKeys& keys, ModelConfig& config) {
  ExpertConfig experts = read_experts(keys, 128);
  experts.intermediate_size = config.intermediate_size;
  experts.softmax_before_top_k = false;
  experts.is_sparse.assign(static_cast<std::size_t>(config.num_layers), true);
  config.experts = std::move(experts);
  config.clamped_swiglu = {.alpha = keys.number("swiglu_alpha").value_or(1.702),
                           .limit = keys.number("swiglu_limit").value_or(7.0)};
  config.attention_sinks = config.norm_rounds_last = true;
}

void read_family(const ConfigKeys& keys, ModelConfig& config) {
  const std::string& type = config.model_type;
  config.attention_scale = 1.0 / std::sqrt(static_cast<double>(config.head_dim));
  config.qk_norm = type == "qwen3" || type == "qwen3_moe" || type == "gemma3_text";
  config.fused_qkv = type == "phi3" || type == "gpt2";
  config.fused_gate_up = type == "phi3";
  config.gated_mlp = type != "gpt2";
  if (type.starts_with("gemma")) read_gemma(keys, config);
  if (type == "qwen3_moe") read_qwen3_moe(keys, config);
  if (type == "gpt_oss") read_gpt_oss(keys, config);
  if (type == "gpt2") {
    if (!keys.boolean("scale_attn_weights", true)) config.attention_scale = 1.0;
    config.scale_by_layer = keys.boolean("scale_attn_by_inverse_layer_idx", false);
  }
}

// An id or a list of ids.
std::vector<std::int64_t> read_ids(const ConfigKeys& keys, std::string_view key) {
  const Json* value = keys.find(key);
  if (value == nullptr) return {};
  if (value->is_array()) return *keys.list<std::int64_t>(key);
  return {*keys.integer(key)};
}

void read_rest(const ConfigKeys& keys, ModelConfig& config) {
  const std::string& type = config.model_type;
  const bool tied_by_default = type.starts_with("gemma") || type == "smollm3" || type == "gpt2";
  config.tie_word_embeddings = keys.boolean("tie_word_embeddings", tied_by_default);
  config.architectures =
      keys.list<std::string>("architectures").value_or(std::vector<std::string>{});
  const auto dtype = keys.string("dtype");
  config.dtype = dtype ? *dtype : keys.string("torch_dtype").value_or("float32");
  config.eos_token_ids = read_ids(keys, "eos_token_id");
  const auto bos = read_ids(keys, "bos_token_id");
  if (!bos.empty()) config.bos_token_id = bos.front();
  config.pad_token_id = keys.integer("pad_token_id");
}

double default_theta(const std::string& type) {
  if (type == "gemma3_text") return 1e6;
  if (type == "gpt_oss") return 150000.0;
  return type == "smollm3" ? 2e6 : 1e4;
}

Json parse_object(const std::string& text, const std::string& source) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    throw FormatError(fmt::format("{}: not a JSON object. Fetch the model's files again.", source));
  }
  return json;
}

// Multimodal wrappers keep the language model's configuration one level down.
Json language_part(Json json) {
  const auto type = json.find("model_type");
  const auto text = json.find("text_config");
  if (type == json.end() || *type != "gemma3" || text == json.end() || !text->is_object()) {
    return json;
  }
  Json part = *text;
  part["model_type"] = "gemma3_text";
  part["architectures"] = {"Gemma3ForCausalLM"};
  for (const char* key : {"eos_token_id", "bos_token_id", "pad_token_id", "dtype", "torch_dtype"}) {
    if (!part.contains(key) && json.contains(key)) part[key] = json[key];
  }
  return part;
}

void check_supported(const ConfigKeys& keys, const std::string& type) {
  if (std::find(kSupported.begin(), kSupported.end(), type) != kSupported.end()) return;
  keys.fail("model_type", fmt::format("is \"{}\", which is not supported; supported: {}", type,
                                      fmt::join(kSupported, ", ")));
}

}  // namespace

ModelConfig parse_model_config(const std::string& json, const std::string& source) {
  const Json object = language_part(parse_object(json, source));
  const ConfigKeys keys(object, source);
  ModelConfig config;
  config.model_type = keys.string("model_type").value_or("");
  check_supported(keys, config.model_type);
  config.layer_norm = config.learned_positions = config.model_type == "gpt2";
  read_sizes(keys, config);
  read_family(keys, config);
  read_biases(keys, config);
  config.activation = read_activation(keys, config);
  read_ropes(keys, config, default_theta(config.model_type));
  read_positions(keys, config);
  read_windows(keys, config);
  read_rest(keys, config);
  const bool reads_blocks = config.model_type == "gpt_oss";  // its experts come as MXFP4
  if (object.contains("quantization_config") && !reads_blocks) {
    keys.fail("quantization_config", "is not supported; use the unquantized model or a GGUF file");
  }
  config.config_json = object.dump(2) + "\n";
  return config;
}

ModelConfig untied(ModelConfig config) {
  auto json = nlohmann::ordered_json::parse(config.config_json);
  json["tie_word_embeddings"] = false;
  config.config_json = json.dump(2) + "\n";
  config.tie_word_embeddings = false;
  return config;
}

std::string config_json_with_dtype(const ModelConfig& config, std::string_view dtype) {
  auto json = nlohmann::ordered_json::parse(config.config_json);
  json.erase("quantization_config");  // the weights are written expanded
  json[json.contains("torch_dtype") ? "torch_dtype" : "dtype"] = dtype;
  return json.dump(2) + "\n";
}

}  // namespace aurum::weights

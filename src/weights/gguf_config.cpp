#include "weights/gguf_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numbers>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace aurum::weights {
namespace {

using Json = nlohmann::ordered_json;

struct Family {
  std::string_view gguf, hugging_face, architecture;
};

constexpr std::array kFamilies = {
    Family{"llama", "llama", "LlamaForCausalLM"},
    Family{"qwen2", "qwen2", "Qwen2ForCausalLM"},
    Family{"qwen3", "qwen3", "Qwen3ForCausalLM"},
    Family{"gemma2", "gemma2", "Gemma2ForCausalLM"},
    Family{"gemma3", "gemma3_text", "Gemma3ForCausalLM"},
    Family{"smollm3", "smollm3", "SmolLM3ForCausalLM"},
    Family{"phi3", "phi3", "Phi3ForCausalLM"},
    Family{"gpt2", "gpt2", "GPT2LMHeadModel"},
    Family{"qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM"},
    Family{"gpt-oss", "gpt_oss", "GptOssForCausalLM"},
};

// A float32 as the decimal number that its writer most likely meant: 1e-06, not 9.99999997e-07.
double shortest(double value) {
  std::array<char, 64> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), static_cast<float>(value));
  double result = value;
  std::from_chars(text.data(), end.ptr, result);
  return result;
}

class ConfigBuilder {
 public:
  explicit ConfigBuilder(const GgufFile& file) : file_(file) {
    const auto architecture = file.string("general.architecture");
    if (!architecture) fail("general.architecture is missing");
    prefix_ = std::string(*architecture) + ".";
    for (const Family& family : kFamilies) {
      if (family.gguf == *architecture) family_ = family;
    }
    if (family_.gguf.empty()) {
      std::vector<std::string_view> names;
      for (const Family& family : kFamilies) names.push_back(family.gguf);
      fail(fmt::format("architecture \"{}\" is not supported; supported: {}", *architecture,
                       fmt::join(names, ", ")));
    }
  }

  ModelConfig build() {
    json_["architectures"] = {family_.architecture};
    json_["model_type"] = family_.hugging_face;
    add_sizes();
    if (is_gemma()) add_gemma();
    add_family();
    if (is_sparse()) add_experts();
    if (!is_gpt2()) add_rope();
    add_tokens();
    add_weights();
    ModelConfig config = parse_model_config(json_.dump(), file_.path());
    // Exactly what the file holds, where config.json has only one switch for several biases.
    config.qkv_bias = has_bias("attn_q") || has_bias("attn_qkv");
    config.output_bias = has_bias("attn_output");
    config.mlp_bias = has_bias("ffn_up") || has_bias("ffn_down");
    config.rope.frequency_divisors = divisors_;
    config.generation_config_json = generation_config();
    if (const auto ids = eos_ids(); !ids.empty()) config.eos_token_ids = ids;
    return config;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw FormatError(fmt::format("{}: {}. Use another file of the model.", file_.path(), problem));
  }

  bool is_gemma() const { return family_.gguf.starts_with("gemma"); }
  bool is_gpt2() const { return family_.gguf == "gpt2"; }
  bool is_gpt_oss() const { return family_.gguf == "gpt-oss"; }
  bool is_sparse() const { return family_.gguf == "qwen3moe" || is_gpt_oss(); }
  bool has_bias(std::string_view part) const {
    return file_.find_tensor(fmt::format("blk.0.{}.bias", part)) != nullptr;
  }
  std::optional<std::int64_t> integer(std::string_view key) const {
    return file_.integer(prefix_ + std::string(key));
  }
  std::optional<double> number(std::string_view key) const {
    const auto value = file_.number(prefix_ + std::string(key));
    return value ? std::optional(shortest(*value)) : std::nullopt;
  }
  std::int64_t required(std::string_view key) const {
    const auto value = integer(key);
    if (!value || *value < 1) fail(fmt::format("{}{} is missing or not positive", prefix_, key));
    return *value;
  }

  // Head counts may be given per layer; only equal ones are supported.
  std::int64_t heads(std::string_view name, std::optional<std::int64_t> fallback) const {
    const std::string key = prefix_ + std::string(name);
    if (!file_.is_array(key)) {
      if (!file_.contains(key) && fallback) return *fallback;
      return required(name);
    }
    const auto values = *file_.integers(key);
    if (values.empty() || std::ranges::any_of(values, [&](auto v) { return v != values[0]; })) {
      fail(fmt::format("{} differs between layers, which is not supported", key));
    }
    return values[0];
  }

  void add_sizes() {
    const GgufTensor* embedding = file_.find_tensor("token_embd.weight");
    if (embedding == nullptr || embedding->shape.size() != 2) {
      fail("token_embd.weight is missing (a part of a split model, or not a language model)");
    }
    hidden_ = required("embedding_length");
    heads_ = heads("attention.head_count", {});
    layers_ = required("block_count");
    const std::int64_t kv_heads = heads("attention.head_count_kv", heads_);
    const std::int64_t context = required("context_length");
    head_dim_ = integer("attention.key_length").value_or(hidden_ / heads_);
    if (integer("attention.value_length").value_or(head_dim_) != head_dim_) {
      fail("attention.value_length differs from attention.key_length, which is not supported");
    }
    json_["vocab_size"] = embedding->shape[0];
    if (is_gpt2()) {
      json_["n_embd"] = hidden_;
      json_["n_layer"] = layers_;
      json_["n_head"] = heads_;
      json_["n_inner"] = required("feed_forward_length");
      json_["n_positions"] = context;
      json_["layer_norm_epsilon"] = number("attention.layer_norm_epsilon").value_or(1e-5);
      json_["activation_function"] = "gelu_new";
      return;
    }
    json_["hidden_size"] = hidden_;
    json_["intermediate_size"] =
        required(is_gpt_oss() ? "expert_feed_forward_length" : "feed_forward_length");
    json_["num_hidden_layers"] = layers_;
    json_["num_attention_heads"] = heads_;
    json_["num_key_value_heads"] = kv_heads;
    json_["head_dim"] = head_dim_;
    json_["max_position_embeddings"] = context;
    json_["rms_norm_eps"] = number("attention.layer_norm_rms_epsilon").value_or(1e-6);
    json_[is_gemma() ? "hidden_activation" : "hidden_act"] =
        is_gemma() ? "gelu_pytorch_tanh" : "silu";
  }

  void add_gemma() {
    const bool gemma3 = family_.gguf == "gemma3";
    // The 27B models scale by hidden / heads, which the format does not record.
    const bool is_27b = layers_ == (gemma3 ? 62 : 46);
    json_["query_pre_attn_scalar"] = is_27b ? hidden_ / heads_ : head_dim_;
    json_["sliding_window"] = integer("attention.sliding_window").value_or(4096);
    const auto softcap = [&](std::string_view key) {
      const auto value = number(key);
      return value && *value > 0.0 ? Json(*value) : Json();
    };
    json_["attn_logit_softcapping"] = softcap("attn_logit_softcapping");
    json_["final_logit_softcapping"] = softcap("final_logit_softcapping");
    Json types = Json::array();
    for (std::int64_t i = 0; i < layers_; ++i) {
      const bool full = gemma3 ? (i + 1) % 6 == 0 : i % 2 == 1;
      types.push_back(full ? "full_attention" : "sliding_attention");
    }
    json_["layer_types"] = types;
  }

  void add_family() {
    if (family_.gguf == "smollm3") {
      std::vector<int> has_rope;
      for (std::int64_t i = 0; i < layers_; ++i) has_rope.push_back((i + 1) % 4 != 0 ? 1 : 0);
      json_["no_rope_layers"] = has_rope;
      json_["no_rope_layer_interval"] = 4;
    }
    if (family_.gguf == "phi3") {
      const std::int64_t window = integer("attention.sliding_window").value_or(0);
      json_["sliding_window"] = window > 0 ? Json(window) : Json();
    }
    if (family_.gguf != "qwen2" && family_.gguf != "phi3" && !is_gpt2()) {
      json_["attention_bias"] = has_bias("attn_q");
    }
    if (family_.gguf == "llama") json_["mlp_bias"] = has_bias("ffn_up");
  }

  void add_experts() {
    const std::int64_t count = required("expert_count");
    json_["num_experts_per_tok"] = required("expert_used_count");
    if (is_gpt_oss()) {
      json_["num_local_experts"] = count;
      json_["sliding_window"] = required("attention.sliding_window");
      return;
    }
    json_["num_experts"] = count;
    json_["moe_intermediate_size"] = required("expert_feed_forward_length");
    json_["norm_topk_prob"] = true;  // not recorded; llama.cpp always divides by the sum
    Json dense = Json::array();
    for (std::int64_t i = 0; i < layers_; ++i) {
      if (!file_.find_tensor(fmt::format("blk.{}.ffn_gate_inp.weight", i))) dense.push_back(i);
    }
    json_["mlp_only_layers"] = std::move(dense);
  }

  // --- rotary embedding ---

  void add_rope() {
    const double fallback = is_gemma() && family_.gguf == "gemma3" ? 1e6 : 1e4;
    const double theta = number("rope.freq_base").value_or(fallback);
    Json scaling = rope_scaling(theta);
    if (const auto rotary = integer("rope.dimension_count"); rotary && *rotary != head_dim_) {
      json_["partial_rotary_factor"] =
          static_cast<double>(*rotary) / static_cast<double>(head_dim_);
    }
    json_["rope_theta"] = theta;
    if (family_.gguf == "gemma3") json_["rope_local_base_freq"] = 10000.0;
    // Without a scaling, transformers would give gpt_oss that of its released models.
    if (is_gpt_oss() && scaling.is_null()) scaling["rope_type"] = "default";
    json_["rope_scaling"] = std::move(scaling);
  }

  Json rope_scaling(double theta) {
    if (const GgufTensor* freqs = file_.find_tensor("rope_freqs.weight")) {
      divisors_ = values_of(*freqs);
      Json llama3 = recover_llama3(theta);
      if (!llama3.is_null()) divisors_.clear();
      return llama3;
    }
    if (file_.find_tensor("rope_factors_long.weight") != nullptr) return long_rope();
    const std::string type(file_.string(prefix_ + "rope.scaling.type").value_or("none"));
    auto factor = number("rope.scaling.factor");
    if (!factor) factor = number("rope.scale_linear");
    if (type == "none" && !number("rope.scale_linear")) return Json();
    if (type != "none" && type != "linear" && type != "yarn") {
      fail(fmt::format("{}rope.scaling.type is {}; supported: none, linear, yarn, longrope",
                       prefix_, type));
    }
    if (!factor || *factor == 1.0) return Json();
    Json scaling;
    scaling["rope_type"] = type == "yarn" ? "yarn" : "linear";
    scaling["factor"] = *factor;
    if (const auto original = integer("rope.scaling.original_context_length")) {
      scaling["original_max_position_embeddings"] = *original;
    }
    if (type == "yarn") add_yarn(scaling);
    return scaling;
  }

  void add_yarn(Json& scaling) const {
    if (const auto fast = number("rope.scaling.yarn_beta_fast")) scaling["beta_fast"] = *fast;
    if (const auto slow = number("rope.scaling.yarn_beta_slow")) scaling["beta_slow"] = *slow;
    const auto factor = number("rope.scaling.yarn_attn_factor");
    if (factor && *factor != 1.0) scaling["attention_factor"] = *factor;
    if (is_gpt_oss()) scaling["truncate"] = false;  // not recorded; so in all released models
  }

  Json long_rope() {
    const GgufTensor* long_factors = file_.find_tensor("rope_factors_long.weight");
    const GgufTensor* short_factors = file_.find_tensor("rope_factors_short.weight");
    const auto original = integer("rope.scaling.original_context_length");
    if (short_factors == nullptr || !original) {
      fail("rope_factors_short.weight or rope.scaling.original_context_length is missing");
    }
    json_["original_max_position_embeddings"] = *original;
    Json scaling;
    scaling["type"] = "longrope";
    scaling["rope_type"] = "longrope";
    scaling["short_factor"] = values_of(*short_factors);
    scaling["long_factor"] = values_of(*long_factors);
    if (const auto factor = number("rope.scaling.attn_factor")) {
      scaling["attention_factor"] = *factor;
    }
    return scaling;
  }

  std::vector<double> values_of(const GgufTensor& tensor) const {
    if (tensor.dtype != DType::kFloat32 || tensor.shape.size() != 1) {
      fail(fmt::format("{} must be a list of F32", tensor.name));
    }
    std::vector<double> values;
    for (std::size_t i = 0; i + 4 <= tensor.bytes.size(); i += 4) {
      float value = 0;
      std::memcpy(&value, tensor.bytes.data() + i, sizeof value);
      if (!(value > 0.0F)) fail(fmt::format("{} has a value that is not positive", tensor.name));
      values.push_back(shortest(value));
    }
    return values;
  }

  // The llama3 parameters that give exactly these divisors, or null.
  Json recover_llama3(double theta) const {
    if (divisors_.empty()) return Json();
    const double factor = *std::ranges::max_element(divisors_);
    for (const double original : {8192.0, 4096.0, 2048.0, 16384.0, 32768.0, 65536.0, 131072.0}) {
      if (!llama3_fits(theta, factor, original)) continue;
      Json scaling;
      scaling["rope_type"] = "llama3";
      scaling["factor"] = factor;
      scaling["low_freq_factor"] = 1.0;
      scaling["high_freq_factor"] = 4.0;
      scaling["original_max_position_embeddings"] = static_cast<std::int64_t>(original);
      return scaling;
    }
    return Json();
  }

  bool llama3_fits(double theta, double factor, double original) const {
    for (std::size_t i = 0; i < divisors_.size(); ++i) {
      const double exponent = static_cast<double>(i) / static_cast<double>(divisors_.size());
      const double wavelength = 2 * std::numbers::pi * std::pow(theta, exponent);
      double divisor = 1.0;
      if (wavelength > original) {
        divisor = factor;
      } else if (wavelength >= original / 4.0) {
        const double smooth = (original / wavelength - 1.0) / 3.0;
        divisor = 1.0 / ((1.0 - smooth) / factor + smooth);
      }
      if (std::abs(divisor - divisors_[i]) > 1e-4 * divisor) return false;
    }
    return true;
  }

  // --- tokens and weights ---

  std::vector<std::int64_t> eos_ids() const {
    std::vector<std::int64_t> ids;
    for (const char* key : {"eos_token_id", "eot_token_id"}) {
      const auto id = file_.integer(std::string("tokenizer.ggml.") + key);
      if (id && std::ranges::find(ids, *id) == ids.end()) ids.push_back(*id);
    }
    return ids;
  }

  void add_token_ids(Json& json) const {
    const auto ids = eos_ids();
    const auto put = [&](const char* key, std::string_view gguf_key) {
      if (const auto id = file_.integer(gguf_key)) json[key] = *id;
    };
    put("bos_token_id", "tokenizer.ggml.bos_token_id");
    if (ids.size() == 1) json["eos_token_id"] = ids[0];
    if (ids.size() > 1) json["eos_token_id"] = ids;
    put("pad_token_id", "tokenizer.ggml.padding_token_id");
  }

  // Absent ids are written as null: transformers would put a family's default in their place, which
  // may lie outside this vocabulary.
  void add_tokens() {
    for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) json_[key] = nullptr;
    add_token_ids(json_);
  }

  void add_weights() {
    json_["tie_word_embeddings"] = file_.find_tensor("output.weight") == nullptr;
    const auto type = file_.find_tensor("token_embd.weight")->dtype;
    const bool is_f32 = type == DType::kFloat32, is_f16 = type == DType::kFloat16;
    json_["torch_dtype"] = is_f32 ? "float32" : is_f16 ? "float16" : "bfloat16";
  }

  std::string generation_config() const {
    Json json;
    json["_from_model_config"] = true;
    add_token_ids(json);
    return json.dump(2) + "\n";
  }

  const GgufFile& file_;
  std::string prefix_;
  Family family_;
  Json json_;
  std::int64_t hidden_ = 0, heads_ = 0, layers_ = 0, head_dim_ = 0;
  std::vector<double> divisors_;
};

}  // namespace

ModelConfig model_config_of_gguf(const GgufFile& file) { return ConfigBuilder(file).build(); }

}  // namespace aurum::weights

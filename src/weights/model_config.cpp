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

namespace aurum::weights {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 11> kSupported = {
    "llama",       "mistral", "qwen2", "qwen3", "qwen3_moe", "gemma2",
    "gemma3_text", "smollm3", "phi3",  "gpt2",  "gpt_oss"};
constexpr std::int64_t kMaxSize = std::int64_t{1} << 31;
constexpr std::int64_t kMaxLayers = 10'000;

// Typed access to an object's keys; null counts as absent.
class Keys {
 public:
  Keys(const Json& json, const std::string& source, std::string pointer = "")
      : json_(json), source_(source), pointer_(std::move(pointer)) {}

  const Json* find(std::string_view key) const {
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  bool contains(std::string_view key) const { return json_.contains(key); }

  std::optional<std::int64_t> integer(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number_integer()) fail(key, "must be a whole number");
    return value->get<std::int64_t>();
  }

  std::int64_t size(std::string_view key, std::optional<std::int64_t> fallback = {}) const {
    const auto value = integer(key);
    if (!value && !fallback) fail(key, "is missing");
    const std::int64_t size = value ? *value : *fallback;
    if (size < 1 || size > kMaxSize) fail(key, fmt::format("is {}, out of range", size));
    return size;
  }

  std::optional<double> number(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) fail(key, "must be a number");
    return value->get<double>();
  }

  bool boolean(std::string_view key, bool fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) fail(key, "must be true or false");
    return value->get<bool>();
  }

  std::optional<std::string> string(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) fail(key, "must be a string");
    return value->get<std::string>();
  }

  template <typename T>
  std::optional<std::vector<T>> list(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_array()) fail(key, "must be a list");
    try {
      return value->get<std::vector<T>>();
    } catch (const Json::exception&) {
      fail(key, "has an element of the wrong type");
    }
  }

  std::optional<Keys> object(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_object()) fail(key, "must be an object");
    return Keys(*value, source_, fmt::format("{}/{}", pointer_, key));
  }

  [[noreturn]] void fail(std::string_view key, std::string_view problem) const {
    throw FormatError(fmt::format("{}: {}/{} {}. Correct it, or fetch the model's files again.",
                                  source_, pointer_, key, problem));
  }

 private:
  const Json& json_;
  const std::string& source_;
  std::string pointer_;
};

// --- rotary embedding ---

RopeKind rope_kind(const Keys& keys, const std::string& model_type) {
  const auto type = keys.string("rope_type");
  const std::string name = type ? *type : keys.string("type").value_or("default");
  if (name == "longrope" || (model_type == "phi3" && (name == "su" || name == "yarn"))) {
    return RopeKind::kLongRope;
  }
  if (name == "default" || name == "none") return RopeKind::kDefault;
  if (name == "linear") return RopeKind::kLinear;
  if (name == "dynamic") return RopeKind::kDynamic;
  if (name == "llama3") return RopeKind::kLlama3;
  if (name == "yarn") return RopeKind::kYarn;
  keys.fail(
      type ? "rope_type" : "type",
      fmt::format("is {}; supported: default, linear, dynamic, llama3, yarn, longrope", name));
}

void check_rope(const RopeConfig& rope, const Keys& keys) {
  const auto positive = [](double value) { return std::isfinite(value) && value > 0.0; };
  if (!positive(rope.theta)) keys.fail("rope_theta", "must be positive");
  if (!positive(rope.factor)) keys.fail("factor", "must be positive");
  if (rope.partial_rotary_factor <= 0.0 || rope.partial_rotary_factor > 1.0) {
    keys.fail("partial_rotary_factor", "must be in (0, 1]");
  }
  if (rope.kind == RopeKind::kLlama3 && !(rope.low_freq_factor < rope.high_freq_factor)) {
    keys.fail("high_freq_factor", "must be larger than low_freq_factor");
  }
}

void read_long_rope(const Keys& top, const Keys& keys, const ModelConfig& config,
                    RopeConfig& rope) {
  rope.short_factor = keys.list<double>("short_factor").value_or(std::vector<double>{});
  rope.long_factor = keys.list<double>("long_factor").value_or(std::vector<double>{});
  const auto pairs = static_cast<std::size_t>(static_cast<double>(config.head_dim) *
                                              rope.partial_rotary_factor / 2);
  if (rope.short_factor.size() != pairs) {
    keys.fail("short_factor", fmt::format("must have {} elements", pairs));
  }
  if (rope.long_factor.size() != pairs) {
    keys.fail("long_factor", fmt::format("must have {} elements", pairs));
  }
  if (!keys.find("factor")) {
    rope.factor = static_cast<double>(top.size("max_position_embeddings", 4096)) /
                  static_cast<double>(rope.original_max_position_embeddings);
  }
}

// `keys` is rope_parameters, one of its entries, or rope_scaling.
RopeConfig read_rope(const Keys& top, const Keys& keys, const ModelConfig& config, double theta) {
  RopeConfig rope;
  rope.kind = rope_kind(keys, config.model_type);
  rope.theta = keys.number("rope_theta").value_or(theta);
  rope.factor = keys.number("factor").value_or(1.0);
  rope.low_freq_factor = keys.number("low_freq_factor").value_or(1.0);
  rope.high_freq_factor = keys.number("high_freq_factor").value_or(4.0);
  rope.beta_fast = keys.number("beta_fast").value_or(32.0);
  rope.beta_slow = keys.number("beta_slow").value_or(1.0);
  rope.truncate = keys.boolean("truncate", true);
  rope.attention_factor = keys.number("attention_factor");
  rope.mscale = keys.number("mscale");
  rope.mscale_all_dim = keys.number("mscale_all_dim");
  rope.original_max_position_embeddings =
      top.size("original_max_position_embeddings",
               keys.size("original_max_position_embeddings", config.max_position_embeddings));
  const auto partial = keys.number("partial_rotary_factor");
  rope.partial_rotary_factor =
      partial ? *partial : top.number("partial_rotary_factor").value_or(1.0);
  check_rope(rope, keys);
  if (rope.kind == RopeKind::kLongRope) read_long_rope(top, keys, config, rope);
  return rope;
}

// What transformers takes when a gpt_oss file says nothing.
RopeConfig gpt_oss_rope() {
  return {.kind = RopeKind::kYarn,
          .theta = 150000.0,
          .factor = 32.0,
          .truncate = false,
          .original_max_position_embeddings = 4096};
}

void read_ropes(const Keys& top, ModelConfig& config, double default_theta) {
  const bool gemma3 = config.model_type == "gemma3_text";
  const double theta = top.number("rope_theta").value_or(default_theta);
  const double local_theta = top.number("rope_local_base_freq").value_or(1e4);
  const Json empty = Json::object();
  const std::string source = "config.json";
  const Keys none(empty, source);
  const auto parameters = top.object("rope_parameters");
  if (parameters && parameters->find("full_attention")) {
    config.rope = read_rope(top, *parameters->object("full_attention"), config, theta);
    if (const auto sliding = parameters->object("sliding_attention")) {
      config.sliding_rope = read_rope(top, *sliding, config, local_theta);
    }
    return;
  }
  const auto scaling = parameters ? parameters : top.object("rope_scaling");
  if (!scaling && config.model_type == "gpt_oss") {
    config.rope = gpt_oss_rope();
    return;
  }
  config.rope = read_rope(top, scaling ? *scaling : none, config, theta);
  if (gemma3) {
    config.sliding_rope = read_rope(top, none, config, local_theta);
  }
}

// --- which layers have a window, and which have positions ---

// Layer types, where they are given: true for a sliding layer.
std::optional<std::vector<bool>> read_layer_types(const Keys& keys, const ModelConfig& config) {
  const auto names = keys.list<std::string>("layer_types");
  if (!names) return std::nullopt;
  if (names->size() != static_cast<std::size_t>(config.num_layers)) {
    keys.fail("layer_types",
              fmt::format("has {} entries for {} layers", names->size(), config.num_layers));
  }
  std::vector<bool> sliding;
  for (const std::string& name : *names) {
    if (name != "sliding_attention" && name != "full_attention") {
      keys.fail("layer_types",
                fmt::format("has {}; supported: full_attention, sliding_attention", name));
    }
    sliding.push_back(name == "sliding_attention");
  }
  return sliding;
}

// The window of sliding layers; 0 when the model has none.
std::int64_t read_window(const Keys& keys, const std::string& model_type) {
  const bool defaults_to_4096 = model_type == "mistral" || model_type.starts_with("gemma");
  if (model_type == "gpt_oss") return keys.size("sliding_window", 128);
  const bool has_switch = model_type.starts_with("qwen") || model_type == "smollm3";
  if (has_switch && !keys.boolean("use_sliding_window", false)) return 0;
  if (model_type == "llama" || model_type == "gpt2") return 0;
  if (keys.find("sliding_window")) return keys.size("sliding_window");
  const bool absent = !keys.contains("sliding_window");
  return (absent && (defaults_to_4096 || has_switch)) ? 4096 : 0;
}

bool slides_by_default(const Keys& keys, const ModelConfig& config, std::int64_t layer) {
  const std::string& type = config.model_type;
  if (type == "gemma2" || type == "gpt_oss") return layer % 2 == 0;
  if (type == "gemma3_text") {
    const std::int64_t pattern =
        keys.size("sliding_window_pattern", keys.size("_sliding_window_pattern", 6));
    return (layer + 1) % pattern != 0;
  }
  if (type == "qwen2" || type == "qwen3")
    return layer >= keys.integer("max_window_layers").value_or(28);
  if (type == "smollm3") return !config.uses_rope[static_cast<std::size_t>(layer)];
  return true;
}

void read_windows(const Keys& keys, ModelConfig& config) {
  const std::int64_t window = read_window(keys, config.model_type);
  config.sliding_window.assign(static_cast<std::size_t>(config.num_layers), 0);
  if (window == 0) return;
  const auto types = read_layer_types(keys, config);
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    const auto i = static_cast<std::size_t>(layer);
    const bool slides = types ? (*types)[i] : slides_by_default(keys, config, layer);
    if (slides) config.sliding_window[i] = window;
  }
}

void read_positions(const Keys& keys, ModelConfig& config) {
  config.uses_rope.assign(static_cast<std::size_t>(config.num_layers), !config.learned_positions);
  if (config.model_type != "smollm3") return;
  const auto given = keys.list<int>("no_rope_layers");
  if (given && given->size() != static_cast<std::size_t>(config.num_layers)) {
    keys.fail("no_rope_layers", "must have one entry per layer");
  }
  const std::int64_t interval = keys.size("no_rope_layer_interval", 4);
  for (std::size_t i = 0; i < config.uses_rope.size(); ++i) {
    config.uses_rope[i] =
        given ? (*given)[i] != 0 : (static_cast<std::int64_t>(i) + 1) % interval != 0;
  }
}

// --- the parts that differ by family ---

Activation read_activation(const Keys& keys, const ModelConfig& config) {
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

void read_gpt2_sizes(const Keys& keys, ModelConfig& config) {
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

void read_sizes(const Keys& keys, ModelConfig& config) {
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

void read_biases(const Keys& keys, ModelConfig& config) {
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

void read_gemma(const Keys& keys, ModelConfig& config) {
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

ExpertConfig read_experts(const Keys& keys, std::int64_t fallback_count) {
  ExpertConfig experts;
  experts.num_experts = keys.size("num_local_experts", keys.size("num_experts", fallback_count));
  experts.experts_per_token = keys.size("num_experts_per_tok", keys.size("experts_per_token", 4));
  if (experts.experts_per_token > experts.num_experts) {
    keys.fail("num_experts_per_tok", "is larger than the number of experts");
  }
  return experts;
}

void read_qwen3_moe(const Keys& keys, ModelConfig& config) {
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

void read_gpt_oss(const Keys& keys, ModelConfig& config) {
  ExpertConfig experts = read_experts(keys, 128);
  experts.intermediate_size = config.intermediate_size;
  experts.softmax_before_top_k = false;
  experts.is_sparse.assign(static_cast<std::size_t>(config.num_layers), true);
  config.experts = std::move(experts);
  config.clamped_swiglu = {.alpha = keys.number("swiglu_alpha").value_or(1.702),
                           .limit = keys.number("swiglu_limit").value_or(7.0)};
  config.attention_sinks = config.norm_rounds_last = true;
}

void read_family(const Keys& keys, ModelConfig& config) {
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
std::vector<std::int64_t> read_ids(const Keys& keys, std::string_view key) {
  const Json* value = keys.find(key);
  if (value == nullptr) return {};
  if (value->is_array()) return *keys.list<std::int64_t>(key);
  return {*keys.integer(key)};
}

void read_rest(const Keys& keys, ModelConfig& config) {
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

void check_supported(const Keys& keys, const std::string& type) {
  if (std::find(kSupported.begin(), kSupported.end(), type) != kSupported.end()) return;
  keys.fail("model_type", fmt::format("is \"{}\", which is not supported; supported: {}", type,
                                      fmt::join(kSupported, ", ")));
}

}  // namespace

ModelConfig parse_model_config(const std::string& json, const std::string& source) {
  const Json object = language_part(parse_object(json, source));
  const Keys keys(object, source);
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

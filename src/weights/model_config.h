#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aurum::weights {

enum class RopeKind { kDefault, kLinear, kDynamic, kLlama3, kYarn, kLongRope };

// One set of rotary parameters; Gemma 3 has one for full and one for sliding layers.
struct RopeConfig {
  RopeKind kind = RopeKind::kDefault;
  double theta = 10000.0;
  double factor = 1.0;
  double low_freq_factor = 1.0, high_freq_factor = 4.0;  // llama3
  double beta_fast = 32.0, beta_slow = 1.0;              // yarn
  bool truncate = true;                                  // yarn
  std::optional<double> attention_factor, mscale, mscale_all_dim;
  std::int64_t original_max_position_embeddings = 0;
  std::vector<double> short_factor, long_factor;  // longrope
  std::vector<double> frequency_divisors;         // GGUF rope_freqs; empty when absent
  double partial_rotary_factor = 1.0;
};

enum class Activation { kSilu, kGeluTanh };

// The MLP of sparse layers: a router sends each token to a few of many small MLPs.
struct ExpertConfig {
  std::int64_t num_experts = 0, experts_per_token = 0, intermediate_size = 0;
  std::vector<bool> is_sparse;  // per layer; the others have a dense MLP
  // Softmax over all experts and then the top k (Qwen), or the top k and then softmax over those.
  bool softmax_before_top_k = true;
  bool normalize_weights = false;  // divides the k weights by their sum
};

// gpt_oss: gate <- min(gate, limit), up <- clamp(up, limit), (up + 1) * gate * sigmoid(alpha gate).
struct ClampedSwiglu {
  double alpha = 1.702, limit = 7.0;
};

// The facts of an architecture as data; model code branches on these, never on a model's name.
struct ModelConfig {
  std::string model_type;  // "llama", "qwen2", "gemma3_text", ...
  std::vector<std::string> architectures;
  std::int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0, num_layers = 0;
  std::int64_t num_heads = 0, num_kv_heads = 0, head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  double norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  bool qkv_bias = false, output_bias = false, mlp_bias = false;
  bool qk_norm = false;            // RMS norm over head_dim on q and k before RoPE
  bool norm_adds_one = false;      // Gemma: 1 + w instead of w
  bool norm_rounds_last = false;   // Gemma, gpt_oss: multiplies by w in float32, then rounds
  bool post_norms = false;         // Gemma: four norms per layer
  bool scale_embedding = false;    // Gemma: times sqrt(hidden), rounded to the weight dtype
  bool layer_norm = false;         // GPT-2: LayerNorm with bias
  bool learned_positions = false;  // GPT-2: wpe
  bool fused_qkv = false, fused_gate_up = false;  // phi3, gpt2
  bool gated_mlp = true;
  Activation activation = Activation::kSilu;
  std::optional<ClampedSwiglu> clamped_swiglu;  // replaces `activation`
  std::optional<ExpertConfig> experts;
  double attention_scale = 0.0;  // multiplies q.k; always set
  bool scale_by_layer = false;   // GPT-2's flag: the scale is divided by the layer's number
  bool attention_sinks = false;  // gpt_oss: one more softmax column per head, without a value
  std::optional<double> attention_softcap, final_logit_softcap;
  std::vector<std::int64_t> sliding_window;  // per layer: 0 = full attention
  std::vector<bool> uses_rope;               // per layer
  RopeConfig rope;
  std::optional<RopeConfig> sliding_rope;  // for layers with a window, when it differs
  std::string dtype = "float32";           // of the stored weights: float32, bfloat16, float16
  std::vector<std::int64_t> eos_token_ids;
  std::optional<std::int64_t> bos_token_id, pad_token_id;
  // config.json in the dialect it was read in (for GGUF: one made to fit), to write back.
  std::string config_json;
  std::string generation_config_json;
};

inline bool is_sparse(const ModelConfig& config, std::int64_t layer) {
  return config.experts && config.experts->is_sparse[static_cast<std::size_t>(layer)];
}
inline double attention_scale(const ModelConfig& config, std::int64_t layer) {
  return config.attention_scale / (config.scale_by_layer ? static_cast<double>(layer + 1) : 1.0);
}

// Reads config.json text. `source` names the file in messages. Throws FormatError with the key;
// unsupported architectures are listed with the supported ones.
ModelConfig parse_model_config(const std::string& json, const std::string& source);

// The same model with a head of its own.
ModelConfig untied(ModelConfig config);

// config.json for weights written in `dtype` ("float32", "float16" or "bfloat16"), named under the
// key that the configuration uses.
std::string config_json_with_dtype(const ModelConfig& config, std::string_view dtype);

}  // namespace aurum::weights

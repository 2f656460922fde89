#include "weights/gguf_metadata.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"

namespace aurum::weights {
namespace {

struct Architecture {
  std::string_view model_type, gguf;
};

constexpr std::array kArchitectures = {
    Architecture{"llama", "llama"},   Architecture{"mistral", "llama"},
    Architecture{"qwen2", "qwen2"},   Architecture{"qwen3", "qwen3"},
    Architecture{"gemma2", "gemma2"}, Architecture{"gemma3_text", "gemma3"},
    Architecture{"phi3", "phi3"},     Architecture{"smollm3", "smollm3"},
    Architecture{"gpt2", "gpt2"},
};

bool nearly_equal(double a, double b) { return std::abs(a - b) <= 1e-6 * std::abs(b); }

class MetadataBuilder {
 public:
  MetadataBuilder(const ModelConfig& config, const std::string& source)
      : config_(config), source_(source) {
    for (const Architecture& architecture : kArchitectures) {
      if (architecture.model_type == config.model_type) architecture_ = architecture.gguf;
    }
    if (architecture_.empty()) {
      refuse(fmt::format("{} models cannot be written as GGUF", config.model_type));
    }
  }

  GgufMetadata build() {
    check_layers();
    check_windows();
    check_scales();
    metadata_.emplace_back("general.architecture", architecture_);
    metadata_.emplace_back("general.type", std::string("model"));
    add_sizes();
    if (config_.post_norms) add_gemma();
    if (config_.learned_positions) return metadata_;
    add_rope();
    return metadata_;
  }

 private:
  [[noreturn]] void refuse(const std::string& problem) const {
    throw InputError(fmt::format("{}: {}. Write a Hugging Face folder instead (--format hf).",
                                 source_, problem));
  }

  void put(std::string_view key, std::int64_t value) {
    metadata_.emplace_back(fmt::format("{}.{}", architecture_, key),
                           static_cast<std::uint32_t>(value));
  }
  void put(std::string_view key, double value) {
    metadata_.emplace_back(fmt::format("{}.{}", architecture_, key), static_cast<float>(value));
  }
  void put(std::string_view key, const char* value) {
    metadata_.emplace_back(fmt::format("{}.{}", architecture_, key), std::string(value));
  }

  // --- what the format cannot say ---

  void check_layers() const {
    const std::string& type = config_.model_type;
    const bool needs_gelu = config_.post_norms || config_.layer_norm;
    if ((config_.activation == Activation::kGeluTanh) != needs_gelu) {
      refuse("GGUF has no place for its activation function");
    }
    if (config_.output_bias && (type == "qwen3" || type == "smollm3")) {
      refuse("llama.cpp has no bias on the attention output of this architecture");
    }
    if (config_.mlp_bias && type != "llama" && type != "gpt2") {
      refuse("llama.cpp has no bias in the MLP of this architecture");
    }
    for (std::size_t i = 0; i < config_.uses_rope.size(); ++i) {
      const bool expected = type == "smollm3" ? (i + 1) % 4 != 0 : type != "gpt2";
      if (config_.uses_rope[i] != expected) {
        refuse("llama.cpp knows only the usual choice of layers without positions");
      }
    }
  }

  void check_windows() const {
    const std::int64_t pattern = architecture_ == "gemma2" ? 2 : architecture_ == "gemma3" ? 6 : 0;
    bool is_windowed = false;
    for (std::size_t i = 0; i < config_.sliding_window.size(); ++i) {
      const bool slides = config_.sliding_window[i] > 0;
      is_windowed = is_windowed || config_.sliding_window[i] > 0;
      const bool expected =
          (static_cast<std::int64_t>(i) + 1) % std::max<std::int64_t>(pattern, 1) != 0;
      if (pattern > 0 && slides != expected) {
        refuse(fmt::format("llama.cpp knows only one full-attention layer in {}", pattern));
      }
    }
    if (pattern > 0 || !is_windowed) return;
    const std::int64_t window = std::ranges::max(config_.sliding_window);
    if (window >= config_.max_position_embeddings) return;
    log_warning("{}: llama.cpp ignores its attention window; contexts above {} tokens will differ",
                source_, window);
  }

  void check_scales() const {
    double expected = 1.0 / std::sqrt(static_cast<double>(config_.head_dim));
    const bool is_27b = (architecture_ == "gemma2" && config_.num_layers == 46) ||
                        (architecture_ == "gemma3" && config_.num_layers == 62);
    if (is_27b) {
      expected = 1.0 / std::sqrt(static_cast<double>(config_.hidden_size / config_.num_heads));
    }
    if (config_.scale_by_layer) refuse("llama.cpp has no attention scale by layer");
    if (!nearly_equal(config_.attention_scale, expected)) {
      refuse(fmt::format("llama.cpp scales attention by {:.6g}, this model by {:.6g}", expected,
                         config_.attention_scale));
    }
  }

  // --- what it can ---

  void add_sizes() {
    put("vocab_size", config_.vocab_size);
    put("context_length", config_.max_position_embeddings);
    put("embedding_length", config_.hidden_size);
    put("block_count", config_.num_layers);
    put("feed_forward_length", config_.intermediate_size);
    put("attention.head_count", config_.num_heads);
    put("attention.head_count_kv", config_.num_kv_heads);
    put(config_.layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
        config_.norm_eps);
    if (config_.layer_norm) return;
    put("attention.key_length", config_.head_dim);
    put("attention.value_length", config_.head_dim);
    // Phi-3's reader insists on the key; 0 means none.
    if (architecture_ == "phi3") {
      put("attention.sliding_window", std::ranges::max(config_.sliding_window));
    }
  }

  void add_gemma() {
    put("attention.sliding_window", std::ranges::max(config_.sliding_window));
    if (config_.attention_softcap) put("attn_logit_softcapping", *config_.attention_softcap);
    if (config_.final_logit_softcap) put("final_logit_softcapping", *config_.final_logit_softcap);
    if (!config_.sliding_rope) return;
    const RopeConfig& local = *config_.sliding_rope;
    if (local.kind != RopeKind::kDefault || local.theta != 10000.0) {
      refuse("llama.cpp knows only theta 10000 without scaling in its sliding layers");
    }
  }

  void add_rope() {
    const RopeConfig& rope = config_.rope;
    put("rope.freq_base", rope.theta);
    put("rope.dimension_count", static_cast<std::int64_t>(static_cast<double>(config_.head_dim) *
                                                          rope.partial_rotary_factor));
    switch (rope.kind) {
      case RopeKind::kDefault:
      case RopeKind::kLlama3:  // in rope_freqs.weight
        return;
      case RopeKind::kLinear:
        put("rope.scaling.type", "linear");
        put("rope.scaling.factor", rope.factor);
        return;
      case RopeKind::kYarn:
        return add_yarn();
      case RopeKind::kLongRope:
        put("rope.scaling.original_context_length", rope.original_max_position_embeddings);
        put("rope.scaling.attn_factor", long_rope_attention_factor());
        return;
      case RopeKind::kDynamic:
        break;
    }
    refuse("llama.cpp has no dynamic rotary scaling");
  }

  void add_yarn() {
    const RopeConfig& rope = config_.rope;
    const double usual = rope.factor > 1.0 ? 0.1 * std::log(rope.factor) + 1.0 : 1.0;
    const bool is_usual = rope.beta_fast == 32.0 && rope.beta_slow == 1.0 && rope.truncate &&
                          !rope.mscale && !rope.mscale_all_dim &&
                          nearly_equal(rope.attention_factor.value_or(usual), usual);
    if (!is_usual) refuse("GGUF has no place for its yarn parameters");
    put("rope.scaling.type", "yarn");
    put("rope.scaling.factor", rope.factor);
    put("rope.scaling.original_context_length", rope.original_max_position_embeddings);
  }

  double long_rope_attention_factor() const {
    const RopeConfig& rope = config_.rope;
    if (rope.attention_factor) return *rope.attention_factor;
    if (rope.factor <= 1.0) return 1.0;
    const auto original = static_cast<double>(rope.original_max_position_embeddings);
    return std::sqrt(1.0 + std::log(rope.factor) / std::log(original));
  }

  const ModelConfig& config_;
  const std::string& source_;
  std::string architecture_;
  GgufMetadata metadata_;
};

// What each rotary frequency is divided by under llama3 scaling.
std::vector<float> llama3_divisors(const RopeConfig& rope, std::int64_t num_pairs) {
  const auto original = static_cast<double>(rope.original_max_position_embeddings);
  std::vector<float> divisors;
  for (std::int64_t i = 0; i < num_pairs; ++i) {
    const double exponent = static_cast<double>(i) / static_cast<double>(num_pairs);
    const double wavelength = 2.0 * std::numbers::pi * std::pow(rope.theta, exponent);
    const double smooth = std::clamp((original / wavelength - rope.low_freq_factor) /
                                         (rope.high_freq_factor - rope.low_freq_factor),
                                     0.0, 1.0);
    divisors.push_back(static_cast<float>(1.0 / ((1.0 - smooth) / rope.factor + smooth)));
  }
  return divisors;
}

std::vector<float> to_floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

GgufMetadata gguf_metadata(const ModelConfig& config, const std::string& source) {
  return MetadataBuilder(config, source).build();
}

std::vector<RopeTensor> gguf_rope_tensors(const ModelConfig& config) {
  const RopeConfig& rope = config.rope;
  if (!rope.frequency_divisors.empty()) {
    return {{"rope_freqs.weight", to_floats(rope.frequency_divisors)}};
  }
  if (rope.kind == RopeKind::kLlama3) {
    return {{"rope_freqs.weight", llama3_divisors(rope, config.head_dim / 2)}};
  }
  if (rope.kind == RopeKind::kLongRope) {
    return {{"rope_factors_long.weight", to_floats(rope.long_factor)},
            {"rope_factors_short.weight", to_floats(rope.short_factor)}};
  }
  return {};
}

}  // namespace aurum::weights

#include "weights/gguf_names.h"

#include <array>
#include <span>

#include <fmt/format.h>

namespace aurum::weights {
namespace {

struct NamePair {
  std::string_view gguf, hugging_face;
};

constexpr std::array kGlobal = {NamePair{"token_embd", "model.embed_tokens"},
                                NamePair{"output_norm", "model.norm"},
                                NamePair{"output", "lm_head"}};
constexpr std::array kGpt2Global = {
    NamePair{"token_embd", "transformer.wte"}, NamePair{"position_embd", "transformer.wpe"},
    NamePair{"output_norm", "transformer.ln_f"}, NamePair{"output", "lm_head"}};

constexpr std::array kLayer = {
    NamePair{"attn_norm", "input_layernorm"},
    NamePair{"ffn_norm", "post_attention_layernorm"},
    NamePair{"attn_q", "self_attn.q_proj"},
    NamePair{"attn_k", "self_attn.k_proj"},
    NamePair{"attn_v", "self_attn.v_proj"},
    NamePair{"attn_qkv", "self_attn.qkv_proj"},
    NamePair{"attn_output", "self_attn.o_proj"},
    NamePair{"attn_q_norm", "self_attn.q_norm"},
    NamePair{"attn_k_norm", "self_attn.k_norm"},
    NamePair{"ffn_gate", "mlp.gate_proj"},
    NamePair{"ffn_up", "mlp.up_proj"},
    NamePair{"ffn_down", "mlp.down_proj"},
    NamePair{"ffn_gate_inp", "mlp.gate"},
    NamePair{"ffn_gate_exps", "mlp.experts.gate_proj"},
    NamePair{"ffn_up_exps", "mlp.experts.up_proj"},
    NamePair{"ffn_down_exps", "mlp.experts.down_proj"},
};
// What differs in models with four norms per layer.
constexpr std::array kPostNormLayer = {NamePair{"ffn_norm", "pre_feedforward_layernorm"},
                                       NamePair{"post_attention_norm", "post_attention_layernorm"},
                                       NamePair{"post_ffw_norm", "post_feedforward_layernorm"}};
// What differs in models with attention sinks.
constexpr std::array kSinkLayer = {NamePair{"post_attention_norm", "post_attention_layernorm"}};
constexpr std::array kFusedLayer = {NamePair{"ffn_up", "mlp.gate_up_proj"}};
constexpr std::array kGpt2Layer = {
    NamePair{"attn_norm", "ln_1"},       NamePair{"ffn_norm", "ln_2"},
    NamePair{"attn_qkv", "attn.c_attn"}, NamePair{"attn_output", "attn.c_proj"},
    NamePair{"ffn_up", "mlp.c_fc"},      NamePair{"ffn_down", "mlp.c_proj"}};

std::optional<std::string_view> look_up(std::span<const NamePair> table, std::string_view name) {
  for (const NamePair& pair : table) {
    if (pair.gguf == name) return pair.hugging_face;
  }
  return std::nullopt;
}

std::optional<std::string_view> look_up_back(std::span<const NamePair> table,
                                             std::string_view name) {
  for (const NamePair& pair : table) {
    if (pair.hugging_face == name) return pair.gguf;
  }
  return std::nullopt;
}

std::optional<std::string_view> layer_part_back(std::string_view part, const ModelConfig& config) {
  if (config.layer_norm) return look_up_back(kGpt2Layer, part);
  if (config.post_norms) {
    if (const auto found = look_up_back(kPostNormLayer, part)) return found;
  }
  if (config.fused_gate_up) {
    if (const auto found = look_up_back(kFusedLayer, part)) return found;
  }
  return look_up_back(kLayer, part);
}

std::optional<std::string_view> layer_part(std::string_view part, const ModelConfig& config) {
  if (config.layer_norm) return look_up(kGpt2Layer, part);
  if (config.post_norms) {
    if (const auto found = look_up(kPostNormLayer, part)) return found;
  }
  if (config.attention_sinks) {
    if (const auto found = look_up(kSinkLayer, part)) return found;
  }
  if (config.fused_gate_up) {
    if (const auto found = look_up(kFusedLayer, part)) return found;
  }
  return look_up(kLayer, part);
}

}  // namespace

std::optional<std::string> hugging_face_name(std::string_view gguf_name,
                                             const ModelConfig& config) {
  const std::size_t dot = gguf_name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view suffix = gguf_name.substr(dot);
  if (suffix != ".weight" && suffix != ".bias") return std::nullopt;
  std::string_view stem = gguf_name.substr(0, dot);
  if (!stem.starts_with("blk.")) {
    const auto found = config.layer_norm ? look_up(kGpt2Global, stem) : look_up(kGlobal, stem);
    return found ? std::optional(fmt::format("{}{}", *found, suffix)) : std::nullopt;
  }
  stem.remove_prefix(4);
  const std::size_t end = stem.find('.');
  if (end == std::string_view::npos) return std::nullopt;
  if (config.attention_sinks && stem.substr(end + 1) == "attn_sinks") {
    return fmt::format("model.layers.{}.self_attn.sinks", stem.substr(0, end));  // no suffix
  }
  const auto part = layer_part(stem.substr(end + 1), config);
  if (!part) return std::nullopt;
  return fmt::format("{}.{}.{}{}", config.layer_norm ? "transformer.h" : "model.layers",
                     stem.substr(0, end), *part, suffix);
}

std::optional<std::string> gguf_name(std::string_view hugging_face_name,
                                     const ModelConfig& config) {
  const std::size_t dot = hugging_face_name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view suffix = hugging_face_name.substr(dot);
  if (suffix != ".weight" && suffix != ".bias") return std::nullopt;
  std::string_view stem = hugging_face_name.substr(0, dot);
  const std::string_view layers = config.layer_norm ? "transformer.h." : "model.layers.";
  if (!stem.starts_with(layers)) {
    const auto found =
        config.layer_norm ? look_up_back(kGpt2Global, stem) : look_up_back(kGlobal, stem);
    return found ? std::optional(fmt::format("{}{}", *found, suffix)) : std::nullopt;
  }
  stem.remove_prefix(layers.size());
  const std::size_t end = stem.find('.');
  if (end == std::string_view::npos) return std::nullopt;
  const auto part = layer_part_back(stem.substr(end + 1), config);
  if (!part) return std::nullopt;
  return fmt::format("blk.{}.{}{}", stem.substr(0, end), *part, suffix);
}

}  // namespace aurum::weights

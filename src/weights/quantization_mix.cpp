#include "weights/quantization_mix.h"

#include <array>
#include <charconv>

#include "weights/dtype.h"

namespace aurum::weights {
namespace {

struct Mix {
  std::string_view name;
  QuantizationMix mix;
  std::uint32_t file_type;
  DType dtype;  // of most tensors
};

constexpr std::array kMixes = {Mix{"f32", QuantizationMix::kF32, 0, DType::kFloat32},
                               Mix{"f16", QuantizationMix::kF16, 1, DType::kFloat16},
                               Mix{"bf16", QuantizationMix::kBF16, 32, DType::kBFloat16},
                               Mix{"q8_0", QuantizationMix::kQ8_0, 7, DType::kQ8_0},
                               Mix{"q4_0", QuantizationMix::kQ4_0, 2, DType::kQ4_0},
                               Mix{"q4_k_m", QuantizationMix::kQ4_K_M, 15, DType::kQ4_K}};

const Mix& find(QuantizationMix mix) { return kMixes[static_cast<std::size_t>(mix)]; }

// Layer N of blk.N.; 0 for tensors outside layers.
std::int64_t layer_of(std::string_view name) {
  std::int64_t layer = 0;
  if (name.starts_with("blk.")) {
    std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  }
  return layer;
}

bool deserves_more_bits(std::int64_t layer, std::int64_t num_layers) {
  const std::int64_t eighth = num_layers / 8;
  return layer < eighth || layer >= 7 * num_layers / 8 || (layer - eighth) % 3 == 2;
}

bool is_head(std::string_view name, const ModelConfig& config) {
  return name == "output.weight" || (config.tie_word_embeddings && name == "token_embd.weight");
}

DType mixed_type(DType usual, std::string_view name, std::int64_t row, const ModelConfig& config) {
  if (is_head(name, config)) {
    const bool whole = row % static_cast<std::int64_t>(block_values(usual)) == 0;
    return !whole || usual == DType::kQ8_0 ? DType::kQ8_0 : DType::kQ6_K;
  }
  if (usual != DType::kQ4_K) return usual;
  const bool is_value = name.ends_with("attn_v.weight") || name.ends_with("attn_qkv.weight");
  const bool more = (is_value || name.ends_with("ffn_down.weight")) &&
                    deserves_more_bits(layer_of(name), config.num_layers);
  if (more) return DType::kQ6_K;
  // 70B models share each value head among eight query heads: more bits cost little there.
  return is_value && config.num_layers == 80 ? DType::kQ5_K : usual;
}

DType fitting_type(DType wanted, std::int64_t row) {
  const auto fits = [&](DType dtype) {
    return row % static_cast<std::int64_t>(block_values(dtype)) == 0;
  };
  if (fits(wanted)) return wanted;
  DType fallback = DType::kQ8_0;
  if (wanted == DType::kQ4_K) fallback = DType::kQ5_0;
  if (wanted == DType::kQ5_K) fallback = DType::kQ5_1;
  return fits(fallback) ? fallback : DType::kFloat16;
}

}  // namespace

std::optional<QuantizationMix> parse_quantization_mix(std::string_view name) {
  for (const Mix& mix : kMixes) {
    if (mix.name == name) return mix.mix;
  }
  return std::nullopt;
}

std::uint32_t gguf_file_type(QuantizationMix mix) { return find(mix).file_type; }

DType stored_type(QuantizationMix mix, std::string_view gguf_name,
                  std::span<const std::int64_t> shape, const ModelConfig& config) {
  const bool is_matrix = shape.size() >= 2 && gguf_name.ends_with(".weight") &&
                         !gguf_name.ends_with("_norm.weight") &&
                         gguf_name != "position_embd.weight";
  if (!is_matrix) return DType::kFloat32;
  const DType usual = find(mix).dtype;
  if (!is_block_quantized(usual)) return usual;
  return fitting_type(mixed_type(usual, gguf_name, shape.back(), config), shape.back());
}

}  // namespace aurum::weights

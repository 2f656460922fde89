#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "weights/dtype.h"
#include "weights/model_config.h"

namespace aurum::weights {

// What llama.cpp calls a file type: which tensor is stored as what.
enum class QuantizationMix { kF32, kF16, kBF16, kQ8_0, kQ4_0, kQ4_K_M };

// f32, f16, bf16, q8_0, q4_0 or q4_k_m.
std::optional<QuantizationMix> parse_quantization_mix(std::string_view name);
std::uint32_t gguf_file_type(QuantizationMix mix);  // the number under general.file_type

// The type that llama.cpp stores a tensor (by its GGUF name) as. Vectors, norms and learned
// positions are F32. In a quantized file the head (for tied models, the embedding) is Q6_K; Q4_K_M
// gives attn_v and ffn_down Q6_K in the first and last eighth of the layers and in every third
// between. Rows that are not whole blocks fall back: Q4_K to Q5_0, Q5_K to Q5_1, Q6_K to Q8_0,
// others to F16.
DType stored_type(QuantizationMix mix, std::string_view gguf_name,
                  std::span<const std::int64_t> shape, const ModelConfig& config);

}  // namespace aurum::weights

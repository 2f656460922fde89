#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "weights/model_config.h"

namespace aurum::weights {

// The Hugging Face name of a GGUF tensor; nullopt for those that are configuration (rope_freqs,
// rope_factors_*) or unknown.
std::optional<std::string> hugging_face_name(std::string_view gguf_name, const ModelConfig& config);

// The GGUF name of a tensor with this Hugging Face name; nullopt when GGUF has none.
std::optional<std::string> gguf_name(std::string_view hugging_face_name, const ModelConfig& config);

}  // namespace aurum::weights

#pragma once

#include <string>
#include <vector>

#include "weights/gguf_writer.h"
#include "weights/model_config.h"

namespace aurum::weights {

// A small float32 tensor that holds configuration: rope_freqs.weight, rope_factors_long.weight ...
struct RopeTensor {
  std::string name;
  std::vector<float> values;
};

// The metadata of a model in GGUF, general.* and the architecture's own; no tokenizer, no file
// type. Throws InputError where llama.cpp would compute something else than this configuration
// says, and logs a warning where it would do so only for long contexts. `source` names the model.
GgufMetadata gguf_metadata(const ModelConfig& config, const std::string& source);

// The tensors that carry the rotary embedding's factors; usually none.
std::vector<RopeTensor> gguf_rope_tensors(const ModelConfig& config);

}  // namespace aurum::weights

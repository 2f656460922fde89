#pragma once

#include "weights/gguf.h"
#include "weights/model_config.h"

namespace aurum::weights {

// The configuration of the model in a GGUF file: metadata, what the tensors show (biases, a tied
// head), and what the format does not store (Gemma's layer pattern). config_json and
// generation_config_json are made so that transformers loads them.
ModelConfig model_config_of_gguf(const GgufFile& file);

}  // namespace aurum::weights

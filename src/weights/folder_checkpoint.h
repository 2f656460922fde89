#pragma once

#include <filesystem>
#include <memory>

#include "weights/checkpoint.h"

namespace aurum::weights {

// A Hugging Face folder: config.json and model.safetensors, or shards with their index.
std::shared_ptr<const Checkpoint> open_folder_checkpoint(const std::filesystem::path& folder);

// Brings the names of wrappers and base models to those of the causal model; "" for parts that are
// not the language model.
std::string canonical_tensor_name(std::string_view name, const ModelConfig& config);

}  // namespace aurum::weights

#pragma once

#include <filesystem>
#include <memory>

#include "weights/checkpoint.h"

namespace aurum::weights {

// A Hugging Face folder: config.json and model.safetensors, or shards with their index.
std::shared_ptr<const Checkpoint> open_folder_checkpoint(const std::filesystem::path& folder);

}  // namespace aurum::weights

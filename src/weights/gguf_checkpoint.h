#pragma once

#include <filesystem>
#include <memory>

#include "weights/checkpoint.h"

namespace aurum::weights {

// A .gguf file, or any part of a split one: the other parts are found beside it.
std::shared_ptr<const Checkpoint> open_gguf_checkpoint(const std::filesystem::path& path);

}  // namespace aurum::weights

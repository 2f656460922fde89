#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace aurum {

// The value of an environment variable; nullopt where it is unset or empty.
std::optional<std::string> environment_variable(const char* name);

// Where Hugging Face keeps what it downloads: HF_HUB_CACHE, HF_HOME/hub,
// XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub, the first that is set.
std::filesystem::path hugging_face_cache();

}  // namespace aurum

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace aurum::hub {

// What of a repository is needed.
enum class Part { kTokenizer, kModel };

struct HubOptions {
  std::filesystem::path cache;
  std::string endpoint = "https://huggingface.co";
  std::string token;
  bool offline = false;
  // Called while a file arrives; for a progress line.
  std::function<void(const std::string& file, std::uint64_t done, std::uint64_t total)> progress;
};

// From HF_HUB_CACHE, HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE.
HubOptions hub_options_of_environment();

// ORG/NAME, NAME, or ORG/NAME/FILE.gguf.
bool is_hub_name(const std::string& name);

// The local snapshot folder of a hub repository (or the file in it, for ORG/NAME/FILE.gguf) with
// all files of `part`: from the cache when they are there, else fetched and checked. Weights are
// safetensors; of a repository that has none, its .gguf file when there is exactly one. Throws
// InputError that says what was looked for where, IoError for the network.
std::filesystem::path fetch(const std::string& name, const std::string& revision, Part part,
                            const HubOptions& options);

}  // namespace aurum::hub

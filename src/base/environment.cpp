#include "base/environment.h"

#include <cstdlib>

namespace aurum {

std::optional<std::string> environment_variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::filesystem::path hugging_face_cache() {
  using std::filesystem::path;
  if (const auto cache = environment_variable("HF_HUB_CACHE")) return *cache;
  if (const auto home = environment_variable("HF_HOME")) return path(*home) / "hub";
  const auto cache = environment_variable("XDG_CACHE_HOME");
  const path user =
      cache ? path(*cache) : path(environment_variable("HOME").value_or(".")) / ".cache";
  return user / "huggingface" / "hub";
}

}  // namespace aurum

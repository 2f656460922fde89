#include "weights/checkpoint.h"

#include <fmt/format.h>

#include "base/error.h"
#include "weights/checkpoint_errors.h"
#include "weights/folder_checkpoint.h"
#include "weights/gguf_checkpoint.h"

namespace aurum::weights {

namespace fs = std::filesystem;

void fail_missing(const std::string& file, std::string_view name) {
  throw FormatError(
      fmt::format("{}: tensor {} is missing. Fetch the model's files again.", file, name));
}

void check_tensor_shape(const std::string& file, std::string_view name,
                        const std::vector<std::int64_t>& shape,
                        const std::optional<std::vector<std::int64_t>>& expected) {
  if (!expected || *expected == shape) return;
  throw FormatError(fmt::format(
      "{}: tensor {} has the shape [{}], but the configuration asks for [{}]. The weights and the "
      "configuration do not belong together.",
      file, name, fmt::join(shape, ", "), fmt::join(*expected, ", ")));
}

std::shared_ptr<const Checkpoint> open_checkpoint(const fs::path& path) {
  if (!fs::exists(path)) {
    throw IoError(fmt::format("{}: no such file or folder. Check the path.", path.string()));
  }
  if (fs::is_directory(path)) {
    if (fs::exists(path / "adapter_config.json") && !fs::exists(path / "config.json")) {
      throw InputError(
          fmt::format("{}: a LoRA adapter, not a model. Merge it first: aurum convert BASE OUT "
                      "--adapter {}.",
                      path.string(), path.string()));
    }
    if (!fs::exists(path / "config.json")) {
      throw InputError(
          fmt::format("{}: a folder without config.json is not a model. Give a "
                      "Hugging Face model folder or a .gguf file.",
                      path.string()));
    }
    return open_folder_checkpoint(path);
  }
  if (path.extension() == ".gguf") return open_gguf_checkpoint(path);
  throw InputError(fmt::format("{}: neither a model folder nor a .gguf file. Give one of these.",
                               path.string()));
}

}  // namespace aurum::weights

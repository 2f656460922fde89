#include "cli/model_files.h"

#include <cstdint>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/gguf_tokenizer.h"
#include "hub/hub.h"
#include "weights/gguf.h"

namespace aurum::cli {
namespace {

namespace fs = std::filesystem;

// One line that is rewritten while a file arrives.
void show_progress(const std::string& file, std::uint64_t done, std::uint64_t total) {
  const double percent =
      total == 0 ? 100.0 : 100.0 * static_cast<double>(done) / static_cast<double>(total);
  fmt::print(stderr, "\r{} {:5.1f} % of {:.1f} MB{}", file, percent,
             static_cast<double>(total) / 1e6, done == total ? "\n" : "");
}

fs::path resolve(const std::string& name, const std::string& revision, hub::Part part) {
  if (name.empty()) throw InputError("the model name is empty; give a folder, file or hub id");
  if (revision.empty() || revision.find("..") != std::string::npos || revision.front() == '/') {
    throw InputError(
        fmt::format("{}: \"{}\" is no revision; give a branch, tag or commit", name, revision));
  }
  if (fs::exists(name)) {
    if (revision == kMain) return name;
    throw InputError(
        fmt::format("{}: is a local path, which has no revision {}; remove it, or give a hub id",
                    name, revision));
  }
  if (!hub::is_hub_name(name)) {
    throw InputError(fmt::format("{}: there is no such file or folder", name));
  }
  hub::HubOptions options = hub::hub_options_of_environment();
  if (::isatty(STDERR_FILENO) == 1) options.progress = show_progress;
  return hub::fetch(name, revision, part, options);
}

}  // namespace

fs::path resolve_model(const std::string& name, const std::string& revision) {
  return resolve(name, revision, hub::Part::kModel);
}

std::shared_ptr<const text::Tokenizer> open_tokenizer(const std::string& name,
                                                      const std::string& revision) {
  const fs::path path = resolve(name, revision, hub::Part::kTokenizer);
  if (path.extension() != ".gguf") return text::load_tokenizer(path);
  const fs::path beside = path.parent_path() / "tokenizer.json";
  if (fs::exists(beside)) return text::load_tokenizer(beside);
  return text::make_tokenizer(read_gguf_vocabulary(*weights::GgufFile::open(path.string())));
}

std::shared_ptr<const weights::Checkpoint> open_model(const std::string& name,
                                                      const std::string& revision) {
  return weights::open_checkpoint(resolve_model(name, revision));
}

}  // namespace aurum::cli

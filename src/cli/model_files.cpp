#include "cli/model_files.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "weights/gguf.h"

namespace aurum::cli {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

fs::path hub_cache() {
  if (const auto cache = environment("HF_HUB_CACHE")) return *cache;
  if (const auto home = environment("HF_HOME")) return fs::path(*home) / "hub";
  if (const auto cache = environment("XDG_CACHE_HOME")) {
    return fs::path(*cache) / "huggingface" / "hub";
  }
  return fs::path(environment("HOME").value_or(".")) / ".cache" / "huggingface" / "hub";
}

bool is_hub_id(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.front() == '.') return false;
  return std::count(name.begin(), name.end(), '/') <= 1 && name.find("..") == std::string::npos;
}

// models--ORG--NAME/snapshots/<commit>, the commit through refs/<revision> or given itself.
std::optional<fs::path> find_snapshot(const fs::path& repository, const std::string& revision) {
  std::string commit = revision;
  if (auto text = read_file_if_present(repository / "refs" / revision)) {
    while (!text->empty() && std::isspace(static_cast<unsigned char>(text->back())) != 0) {
      text->pop_back();
    }
    commit = *text;
  }
  fs::path snapshot = repository / "snapshots" / commit;
  if (!fs::is_directory(snapshot)) return std::nullopt;
  return snapshot;
}

template <typename To, typename From>
std::optional<To> convert(const std::optional<From>& value) {
  if (!value) return std::nullopt;
  return static_cast<To>(*value);
}

std::vector<std::string> to_strings(const std::optional<std::vector<std::string_view>>& views) {
  if (!views) return {};
  return {views->begin(), views->end()};
}

void read_templates(const weights::GgufFile& file, text::GgufVocabulary& out) {
  constexpr std::string_view kKey = "tokenizer.chat_template";
  for (const std::string& key : file.keys()) {
    if (!key.starts_with(kKey) || file.is_array(key)) continue;
    const std::string_view rest = std::string_view(key).substr(kKey.size());
    if (!rest.empty() && (rest[0] != '.' || rest.size() == 1)) continue;
    const auto source = file.string(key);
    if (!source) continue;
    out.chat_templates[rest.empty() ? "default" : std::string(rest.substr(1))] = *source;
  }
}

text::GgufVocabulary read_vocabulary(const weights::GgufFile& file) {
  text::GgufVocabulary out;
  out.source = file.path();
  const auto key = [](const char* name) { return std::string("tokenizer.ggml.") + name; };
  out.model = file.string(key("model")).value_or("");
  out.pre = file.string(key("pre")).value_or("");
  out.huggingface_json = file.string("tokenizer.huggingface.json").value_or("");
  out.tokens = to_strings(file.strings(key("tokens")));
  out.merges = to_strings(file.strings(key("merges")));
  out.scores = file.floats(key("scores")).value_or(std::vector<float>());
  for (const std::int64_t type :
       file.integers(key("token_type")).value_or(std::vector<std::int64_t>())) {
    out.token_types.push_back(static_cast<std::int32_t>(type));
  }
  const auto id = [&](const char* name) { return convert<text::TokenId>(file.integer(key(name))); };
  out.bos = id("bos_token_id");
  out.eos = id("eos_token_id");
  out.eot = id("eot_token_id");
  out.unk = id("unknown_token_id");
  out.pad = id("padding_token_id");
  out.add_bos = file.boolean(key("add_bos_token"));
  out.add_eos = file.boolean(key("add_eos_token"));
  out.add_space_prefix = file.boolean(key("add_space_prefix"));
  read_templates(file, out);
  return out;
}

}  // namespace

fs::path resolve_model(const std::string& name, const std::string& revision) {
  if (name.empty()) throw InputError("the model name is empty; give a folder, file or hub id");
  if (fs::exists(name)) return name;
  if (!is_hub_id(name)) {
    throw InputError(fmt::format("{}: there is no such file or folder", name));
  }
  std::string folder = "models--" + name;
  for (std::size_t p = folder.find('/'); p != std::string::npos; p = folder.find('/')) {
    folder.replace(p, 1, "--");
  }
  const fs::path repository = hub_cache() / folder;
  if (auto snapshot = find_snapshot(repository, revision)) return *snapshot;
  throw InputError(fmt::format(
      "{}: neither a path nor in the Hugging Face cache (looked for revision {} in {}); run "
      "`hf download {}` first, or set HF_HUB_CACHE",
      name, revision, repository.string(), name));
}

std::shared_ptr<const text::Tokenizer> open_tokenizer(const std::string& name,
                                                      const std::string& revision) {
  const fs::path path = resolve_model(name, revision);
  if (path.extension() != ".gguf") return text::load_tokenizer(path);
  const fs::path beside = path.parent_path() / "tokenizer.json";
  if (fs::exists(beside)) return text::load_tokenizer(beside);
  return text::make_tokenizer(read_vocabulary(*weights::GgufFile::open(path.string())));
}

std::shared_ptr<const weights::Checkpoint> open_model(const std::string& name,
                                                      const std::string& revision) {
  return weights::open_checkpoint(resolve_model(name, revision));
}

}  // namespace aurum::cli

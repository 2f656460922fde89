#include "hub/hub.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "base/error.h"
#include "base/files.h"
#include "hub/cache.h"
#include "hub/download.h"
#include "hub/http_client.h"

namespace aurum::hub {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kMaxListing = 64 << 20;

struct RemoteFile {
  std::string name, checksum;
  std::uint64_t size = 0;
};

struct Listing {
  std::string commit;
  std::vector<RemoteFile> files;

  bool contains(std::string_view name) const {
    return std::ranges::any_of(files, [&](const RemoteFile& f) { return f.name == name; });
  }
};

struct Name {
  std::string repository, file;  // `file` is "" for the whole
};

Name split_name(const std::string& name) {
  const std::size_t first = name.find('/');
  const std::size_t second = first == std::string::npos ? first : name.find('/', first + 1);
  if (second == std::string::npos) return {name, ""};
  return {name.substr(0, second), name.substr(second + 1)};
}

// --- what is there already ---

bool has_weights(const fs::path& folder) {
  if (fs::exists(folder / "model.safetensors")) return true;
  if (fs::exists(folder / "adapter_model.safetensors")) return true;
  const auto text = read_file_if_present(folder / "model.safetensors.index.json");
  if (!text) return false;
  const Json index = Json::parse(*text, nullptr, false);
  if (!index.is_object() || !index.contains("weight_map")) return true;  // the reader complains
  return std::ranges::all_of(index["weight_map"], [&](const Json& file) {
    return file.is_string() && fs::exists(folder / file.get<std::string>());
  });
}

std::optional<fs::path> only_gguf(const fs::path& folder) {
  std::optional<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".gguf") continue;
    if (found) return std::nullopt;
    found = entry.path();
  }
  return found;
}

// What `fetch` gives when the snapshot holds everything already.
std::optional<fs::path> complete(const fs::path& snapshot, const std::string& file, Part part) {
  if (!file.empty()) {
    return fs::exists(snapshot / file) ? std::optional(snapshot / file) : std::nullopt;
  }
  if (part == Part::kTokenizer && fs::exists(snapshot / "tokenizer.json")) return snapshot;
  if (fs::exists(snapshot / "config.json") && has_weights(snapshot)) return snapshot;
  if (fs::exists(snapshot / "adapter_config.json") && has_weights(snapshot)) return snapshot;
  return fs::exists(snapshot / "config.json") ? std::nullopt : only_gguf(snapshot);
}

// --- what the server has ---

// A name below the snapshot folder, and nowhere else.
bool is_safe_path(const std::string& name) {
  const fs::path path(name);
  if (name.empty() || path.is_absolute() || name.find('\\') != std::string::npos) return false;
  return std::ranges::none_of(path,
                              [](const fs::path& part) { return part == ".." || part == "."; });
}

bool is_hex(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::optional<RemoteFile> parse_file(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  RemoteFile file;
  file.name = json.value("rfilename", "");
  file.size = json.value("size", std::uint64_t{0});
  file.checksum = json.value("blobId", "");
  if (const auto lfs = json.find("lfs"); lfs != json.end() && lfs->is_object()) {
    file.checksum = lfs->value("sha256", "");
    file.size = lfs->value("size", file.size);
  }
  const bool good = is_safe_path(file.name) && is_hex(file.checksum) &&
                    (file.checksum.size() == 40 || file.checksum.size() == 64);
  return good ? std::optional(file) : std::nullopt;
}

Listing parse_listing(const std::string& text, const std::string& url) {
  Listing listing;
  try {
    const Json json = Json::parse(text);
    listing.commit = json.at("sha").get<std::string>();
    for (const Json& sibling : json.at("siblings")) {
      if (auto file = parse_file(sibling)) listing.files.push_back(std::move(*file));
    }
  } catch (const Json::exception& error) {
    throw FormatError(
        fmt::format("{}: not a listing of a model: {}. Check HF_ENDPOINT.", url, error.what()));
  }
  if (!is_hex(listing.commit)) {
    throw FormatError(fmt::format("{}: /sha is not a commit. Check HF_ENDPOINT.", url));
  }
  return listing;
}

Listing get_listing(const std::string& repository, const std::string& revision,
                    const HubOptions& options) {
  const std::string url = fmt::format("{}/api/models/{}/revision/{}?blobs=true", options.endpoint,
                                      repository, revision);
  std::string body;
  http_get(
      {url, options.token},
      [&](const HttpResponse& response) {
        check_status(response.status, fmt::format("{} (revision {})", repository, revision), url);
        return true;
      },
      [&](std::span<const std::byte> bytes) {
        if (body.size() + bytes.size() > kMaxListing) {
          throw FormatError(url + ": the listing is too long.");
        }
        body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      });
  return parse_listing(body, url);
}

// --- which of it is needed ---

constexpr std::array kTokenizerFiles = {
    "tokenizer.json", "tokenizer_config.json",  "special_tokens_map.json", "chat_template.jinja",
    "config.json",    "generation_config.json", "added_tokens.json",       "adapter_config.json"};

bool is_tokenizer_file(const std::string& name) {
  if (std::ranges::find(kTokenizerFiles, name) != kTokenizerFiles.end()) return true;
  return name.ends_with(".jinja") &&
         (name.starts_with("chat_templates/") || name.starts_with("additional_chat_templates/"));
}

bool is_shard(const std::string& name) {
  return name.starts_with("model") && name.ends_with(".safetensors") && name.find('/') == name.npos;
}

bool is_weight_file(const std::string& name, const Listing& listing) {
  if (name == "adapter_model.safetensors") return true;
  if (listing.contains("model.safetensors")) return name == "model.safetensors";
  return is_shard(name) || name == "model.safetensors.index.json";
}

std::vector<RemoteFile> gguf_files(const std::string& repository, const Listing& listing) {
  std::vector<RemoteFile> files;
  std::string names;
  for (const RemoteFile& file : listing.files) {
    if (!file.name.ends_with(".gguf")) continue;
    files.push_back(file);
    names += fmt::format("{}{}", names.empty() ? "" : ", ", file.name);
  }
  if (files.size() == 1) return files;
  throw InputError(fmt::format(
      "{}: {}", repository,
      files.empty()
          ? "it has neither safetensors nor a .gguf file. Choose another model."
          : fmt::format("it has several .gguf files. Name one as {}/FILE: {}", repository, names)));
}

// All parts of a split file, or the one file.
std::vector<RemoteFile> named_files(const Name& name, const Listing& listing) {
  constexpr std::size_t kNumberLength = 5;
  const std::size_t of = name.file.rfind("-of-");
  std::vector<RemoteFile> files;
  for (const RemoteFile& file : listing.files) {
    const bool same = file.name == name.file;
    const bool is_part =
        of != std::string::npos && of > kNumberLength && file.name.size() == name.file.size() &&
        file.name.substr(of) == name.file.substr(of) &&
        file.name.substr(0, of - kNumberLength) == name.file.substr(0, of - kNumberLength);
    if (same || is_part) files.push_back(file);
  }
  if (files.empty()) {
    throw InputError(
        fmt::format("{}: the repository {} has no such file.", name.file, name.repository));
  }
  return files;
}

std::vector<RemoteFile> choose_files(const Name& name, const Listing& listing, Part part) {
  if (!name.file.empty()) return named_files(name, listing);
  std::vector<RemoteFile> files;
  bool has_any_weights = false;
  for (const RemoteFile& file : listing.files) {
    const bool weights = is_weight_file(file.name, listing);
    has_any_weights = has_any_weights || (weights && file.name.ends_with(".safetensors"));
    if (is_tokenizer_file(file.name) || (weights && part == Part::kModel)) files.push_back(file);
  }
  const bool is_enough =
      part == Part::kTokenizer ? listing.contains("tokenizer.json") : has_any_weights;
  if (is_enough) return files;
  if (part == Part::kTokenizer && has_any_weights) {
    throw InputError(
        fmt::format("{}: it has no tokenizer.json. Choose another tokenizer.", name.repository));
  }
  return gguf_files(name.repository, listing);
}

void fetch_file(const RemoteFile& file, const std::string& repository, const Listing& listing,
                const RepositoryCache& cache, const HubOptions& options) {
  if (!fs::exists(cache.blob(file.checksum))) {
    const Download request{
        fmt::format("{}/{}/resolve/{}/{}", options.endpoint, repository, listing.commit, file.name),
        options.token, cache.blob(file.checksum), file.size, file.checksum};
    download(request, [&](std::uint64_t done) {
      if (options.progress) options.progress(file.name, done, file.size);
    });
  }
  cache.link(listing.commit, file.name, file.checksum);
}

}  // namespace

HubOptions hub_options_of_environment() {
  HubOptions options;
  options.cache = hugging_face_cache();
  if (const auto endpoint = environment_variable("HF_ENDPOINT")) options.endpoint = *endpoint;
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  options.token = environment_variable("HF_TOKEN").value_or("");
  const std::string offline = environment_variable("HF_HUB_OFFLINE").value_or("0");
  options.offline = offline != "0" && offline != "false";
  return options;
}

bool is_hub_name(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.front() == '.' || name.back() == '/')
    return false;
  if (name.find("..") != std::string::npos || name.find("//") != std::string::npos) return false;
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
  if (name.find_first_not_of(kAllowed) != std::string::npos) return false;
  return std::ranges::count(name, '/') <= 1 || name.ends_with(".gguf");
}

fs::path fetch(const std::string& name, const std::string& revision, Part part,
               const HubOptions& options) {
  const Name parts = split_name(name);
  const RepositoryCache cache(options.cache, parts.repository);
  if (const auto snapshot = cache.find_snapshot(revision)) {
    if (const auto path = complete(*snapshot, parts.file, part)) return *path;
  }
  if (options.offline) {
    throw InputError(fmt::format(
        "{}: neither a path nor (revision {}) complete in {}, and HF_HUB_OFFLINE is set. Unset it, "
        "or give a local folder.",
        name, revision, cache.folder().string()));
  }
  const Listing listing = get_listing(parts.repository, revision, options);
  for (const RemoteFile& file : choose_files(parts, listing, part)) {
    fetch_file(file, parts.repository, listing, cache, options);
  }
  cache.remember(revision, listing.commit);
  const fs::path snapshot = cache.folder() / "snapshots" / listing.commit;
  if (const auto path = complete(snapshot, parts.file, part)) return *path;
  throw FormatError(fmt::format("{}: the repository lacks files of a {}. Choose another one.", name,
                                part == Part::kModel ? "model" : "tokenizer"));
}

}  // namespace aurum::hub

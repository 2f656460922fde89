#include "data/dataset_files.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/environment.h"
#include "base/error.h"
#include "base/files.h"
#include "data/rows.h"

namespace aurum::data {

namespace fs = std::filesystem;

namespace {

// The split that a word stands for; empty for any other word.
std::string split_of_word(const std::string& word) {
  static const std::map<std::string, std::string> words = {
      {"train", "train"},      {"training", "train"}, {"validation", "validation"},
      {"valid", "validation"}, {"val", "validation"}, {"dev", "validation"},
      {"test", "test"},        {"testing", "test"},   {"eval", "test"},
      {"evaluation", "test"}};
  const auto found = words.find(word);
  return found == words.end() ? "" : found->second;
}

std::vector<std::string> words_of(const std::string& name) {
  std::vector<std::string> words(1);
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  return words;
}

// The known split that a name holds, else empty.
std::string split_of_name(const std::string& name) {
  for (const std::string& word : words_of(name)) {
    const std::string split = split_of_word(word);
    if (!split.empty()) return split;
  }
  return "";
}

// The split of a file by its name, then by the folders above it, nearest first.
std::string split_of_file(const fs::path& relative) {
  std::string split = split_of_name(relative.filename().string());
  fs::path folder = relative.parent_path();
  while (split.empty() && !folder.empty()) {
    split = split_of_name(folder.filename().string());
    folder = folder.parent_path();
  }
  return split;
}

// Splits may have any name ("train_sft"): then file names start with it.
bool has_split(const fs::path& relative, const std::string& name) {
  if (split_of_word(name) != "" && split_of_file(relative) == split_of_word(name)) return true;
  if (relative.filename().string().rfind(name, 0) == 0) return true;
  for (const fs::path& part : relative.parent_path()) {
    if (part == name) return true;
  }
  return false;
}

std::vector<fs::path> row_files_below(const fs::path& folder) {
  constexpr int kMaxDepth = 5;
  std::vector<fs::path> files;
  for (auto item = fs::recursive_directory_iterator(
           folder, fs::directory_options::follow_directory_symlink);
       item != fs::recursive_directory_iterator(); ++item) {
    if (item.depth() > kMaxDepth || item->path().filename().string().starts_with('.')) {
      if (item->is_directory()) item.disable_recursion_pending();
      continue;
    }
    // What datasets and Hugging Face write beside the rows.
    static const std::set<std::string> kNotRows = {"dataset_info.json", "dataset_infos.json",
                                                   "dataset_dict.json", "state.json"};
    const std::string name = item->path().filename().string();
    if (item->is_regular_file() && is_row_file(name) && !kNotRows.contains(name)) {
      files.push_back(item->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool is_below(const fs::path& relative, const std::string& folder_name) {
  for (const fs::path& part : relative.parent_path()) {
    if (part == folder_name) return true;
  }
  return false;
}

[[noreturn]] void refuse_split(const std::string& path, const std::string& split_name,
                               const std::vector<fs::path>& files) {
  if (files.empty()) {
    throw InputError(fmt::format("{}: no .jsonl, .json or .parquet file in this folder", path));
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min<std::size_t>(files.size(), 5); ++i) {
    names.push_back(fs::relative(files[i], path).string());
  }
  throw InputError(fmt::format("{}: no file belongs to the split \"{}\"; there is {}", path,
                               split_name, fmt::join(names, ", ")));
}

std::optional<SplitSlice::Bound> parse_bound(std::string text, const std::string& split) {
  if (text.empty()) return std::nullopt;
  SplitSlice::Bound bound;
  bound.is_percent = text.ends_with('%');
  if (bound.is_percent) text.pop_back();
  std::size_t end = 0;
  try {
    bound.value = std::stoll(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  if (end == 0 || end != text.size()) {
    throw InputError(
        fmt::format("split \"{}\": write train, train[:100] or train[10%:20%]", split));
  }
  return bound;
}

}  // namespace

std::pair<std::int64_t, std::int64_t> SplitSlice::range(std::int64_t num_rows) const {
  const auto index = [&](const std::optional<Bound>& bound, std::int64_t otherwise) {
    if (!bound) return otherwise;
    std::int64_t value = bound->value;
    if (bound->is_percent) {
      value = static_cast<std::int64_t>(
          std::llround(static_cast<double>(num_rows) * static_cast<double>(value) / 100.0));
    }
    if (value < 0) value += num_rows;
    return std::clamp<std::int64_t>(value, 0, num_rows);
  };
  const std::int64_t first = index(begin, 0);
  return {first, std::max(first, index(end, num_rows))};
}

SplitSlice parse_split(const std::string& split) {
  const std::size_t bracket = split.find('[');
  SplitSlice slice{.name = split.substr(0, bracket)};
  if (bracket == std::string::npos) return slice;
  const std::size_t colon = split.find(':', bracket);
  if (colon == std::string::npos || !split.ends_with(']')) {
    throw InputError(
        fmt::format("split \"{}\": write train, train[:100] or train[10%:20%]", split));
  }
  slice.begin = parse_bound(split.substr(bracket + 1, colon - bracket - 1), split);
  slice.end = parse_bound(split.substr(colon + 1, split.size() - colon - 2), split);
  return slice;
}

std::vector<std::string> dataset_files(const std::string& path, const std::string& split_name,
                                       const std::optional<std::string>& subset) {
  if (!fs::exists(path)) throw IoError(path + ": no such file or folder");
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files = row_files_below(path);
  if (subset && fs::is_directory(fs::path(path) / *subset)) {
    std::erase_if(
        files, [&](const fs::path& file) { return !is_below(fs::relative(file, path), *subset); });
  }
  std::vector<std::string> chosen;
  bool has_any_split = false;
  for (const fs::path& file : files) {
    const fs::path relative = fs::relative(file, path);
    has_any_split = has_any_split || !split_of_file(relative).empty();
    if (has_split(relative, split_name)) chosen.push_back(file.string());
  }
  if (chosen.empty() && split_name == "train" && !has_any_split) {
    for (const fs::path& file : files) chosen.push_back(file.string());
  }
  if (chosen.empty()) refuse_split(path, split_name, files);
  return chosen;
}

std::optional<std::string> find_in_hub_cache(const std::string& dataset_id) {
  if (dataset_id.find('/') == std::string::npos || dataset_id.find("..") != std::string::npos) {
    return std::nullopt;
  }
  std::string name = dataset_id;
  name.replace(name.find('/'), 1, "--");
  const fs::path repository = hugging_face_cache() / ("datasets--" + name);
  const fs::path snapshots = repository / "snapshots";
  if (const auto commit = read_file_if_present(repository / "refs" / "main", 1024)) {
    const fs::path snapshot = snapshots / commit->substr(0, commit->find_first_of(" \n"));
    if (fs::is_directory(snapshot)) return snapshot.string();
  }
  std::optional<fs::path> newest;
  if (!fs::is_directory(snapshots)) return std::nullopt;
  for (const auto& entry : fs::directory_iterator(snapshots)) {
    if (!newest || fs::last_write_time(entry) > fs::last_write_time(*newest)) newest = entry.path();
  }
  if (!newest) return std::nullopt;
  return newest->string();
}

}  // namespace aurum::data

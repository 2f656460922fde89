#include "data/dataset.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "data/dataset_files.h"

namespace aurum::data {

namespace fs = std::filesystem;

namespace {

// Oumi's Alpaca data sets have a prompt of their own; other rows with Alpaca's columns are joined
// plainly.
RowOptions row_options(const DatasetSource& source) {
  RowOptions options;
  options.alpaca_headings =
      source.name == "yahma/alpaca-cleaned" || source.name == "tatsu-lab/alpaca";
  options.include_system_prompt = options.alpaca_headings;
  const auto flag = source.options.find("include_system_prompt");
  if (flag != source.options.end()) {
    if (!flag->is_boolean()) {
      throw ConfigError("dataset_kwargs.include_system_prompt must be true or false");
    }
    options.include_system_prompt = flag->get<bool>();
  }
  const auto column = [&](const char* key, std::string& name) {
    const auto found = source.options.find(key);
    if (found != source.options.end() && found->is_string()) name = found->get<std::string>();
  };
  column("prompt_column", options.prompt_column);
  column("response_column", options.response_column);
  return options;
}

// All usable rows of one data set's split.
class DatasetReader {
 public:
  DatasetReader(const DatasetSource& source, LoadedExamples& loaded)
      : source_(source), options_(row_options(source)), loaded_(loaded) {}

  std::vector<Example> read() {
    const SplitSlice slice = parse_split(source_.split);
    const std::string place = locate(source_);
    for (const std::string& file : dataset_files(place, slice.name, source_.subset)) {
      read_rows(file, [&](const OrderedJson& row, const std::string& at) {
        take(row, at);
        return !has_enough(slice);
      });
    }
    if (slice.begin || slice.end) cut(slice);
    if (examples_.empty() && num_skipped_ > 0) {
      throw InputError(
          fmt::format("{}: all {} rows have an empty prompt or completion, the first "
                      "at {}",
                      place, num_skipped_, loaded_.first_skipped));
    }
    return std::move(examples_);
  }

 private:
  void take(const OrderedJson& row, const std::string& at) {
    Example example = parse_example(row, at, options_);
    if (example.is_usable()) {
      examples_.push_back(std::move(example));
      return;
    }
    ++num_skipped_;
    if (loaded_.num_skipped++ == 0) loaded_.first_skipped = at;
  }

  // The first rows are enough when nothing is shuffled or cut.
  bool has_enough(const SplitSlice& slice) const {
    return !source_.shuffle && !slice.begin && !slice.end && source_.sample_count &&
           static_cast<std::int64_t>(examples_.size()) >= *source_.sample_count;
  }

  void cut(const SplitSlice& slice) {
    const auto [begin, end] = slice.range(static_cast<std::int64_t>(examples_.size()));
    examples_.erase(examples_.begin() + end, examples_.end());
    examples_.erase(examples_.begin(), examples_.begin() + begin);
  }

  const DatasetSource& source_;
  RowOptions options_;
  LoadedExamples& loaded_;
  std::vector<Example> examples_;
  std::size_t num_skipped_ = 0;
};

MixturePart mixture_part(const DatasetSource& source, std::size_t num_rows) {
  MixturePart part{.num_rows = num_rows,
                   .shuffle = source.shuffle,
                   .seed = source.seed,
                   .proportion = source.proportion};
  if (source.sample_count) part.sample_count = static_cast<std::size_t>(*source.sample_count);
  return part;
}

}  // namespace

std::string locate(const DatasetSource& source) {
  if (source.path && !source.path->empty()) {
    if (fs::exists(*source.path)) return *source.path;
    throw InputError(fmt::format("dataset_path: {}: no such file or folder", *source.path));
  }
  if (fs::exists(source.name)) return source.name;
  if (const auto cached = find_in_hub_cache(source.name)) return *cached;
  throw InputError(
      fmt::format("dataset_name: {}: not in Hugging Face's cache on this machine; download it, or "
                  "set dataset_path to a .jsonl, .json or .parquet file or a folder of them",
                  source.name));
}

LoadedExamples load_examples(const std::vector<DatasetSource>& sources, MixtureStrategy strategy,
                             std::uint64_t seed) {
  LoadedExamples loaded;
  std::vector<std::vector<Example>> rows;
  std::vector<MixturePart> parts;
  for (const DatasetSource& source : sources) {
    rows.push_back(DatasetReader(source, loaded).read());
    parts.push_back(mixture_part(source, rows.back().size()));
  }
  const std::vector<MixedRow> order = mix(parts, strategy, seed);
  loaded.examples.reserve(order.size());
  for (const MixedRow& row : order) loaded.examples.push_back(rows[row.part][row.row]);
  return loaded;
}

}  // namespace aurum::data

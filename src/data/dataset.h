#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/example.h"
#include "data/mixture.h"

namespace aurum::data {

// Where the rows of one data set are, and how many of them are wanted.
struct DatasetSource {
  std::string name;                 // a hub id, or a name such as text_sft_jsonl
  std::optional<std::string> path;  // a file or folder; wins over the name
  std::optional<std::string> subset;
  std::string split = "train";                  // also "train[:100]"
  OrderedJson options = OrderedJson::object();  // include_system_prompt, prompt_column, ...
  std::optional<std::int64_t> sample_count;
  std::optional<double> proportion;
  bool shuffle = false;
  std::uint64_t seed = 0;
};

struct LoadedExamples {
  std::vector<Example> examples;  // in the order of the mixture; a repeated row stands repeatedly
  std::size_t num_skipped = 0;    // rows with an empty prompt or completion
  std::string first_skipped;      // its place
};

// Reads, samples and mixes the data sets of one split. Throws InputError that names file and line
// for a row that cannot be read, a missing file or split, and for a data set whose rows are all
// skipped.
LoadedExamples load_examples(const std::vector<DatasetSource>& sources, MixtureStrategy strategy,
                             std::uint64_t seed);

// The file or folder of a data set: its path, a local path that is its name, or its folder in
// Hugging Face's cache. Throws InputError that says what to do when there is none.
std::string locate(const DatasetSource& source);

}  // namespace aurum::data

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aurum::data {

// A part of a split, in Hugging Face's notation: "train", "train[:100]", "train[10%:20%]".
struct SplitSlice {
  struct Bound {
    std::int64_t value = 0;
    bool is_percent = false;
  };
  std::string name;
  std::optional<Bound> begin, end;

  // The rows [first, second) that it takes of `num_rows`; negative bounds count from the end.
  std::pair<std::int64_t, std::int64_t> range(std::int64_t num_rows) const;
};

// Throws InputError for a notation that it does not know.
SplitSlice parse_split(const std::string& split);

// The files of a data set in order of their names. `path` is one file, or a folder in a layout that
// Hugging Face knows: the split is a word of a file's name (train-00000-of-00002.parquet) or of a
// folder above it (data/train/part.jsonl); valid, validation, dev and val are one split, as are
// test, testing, eval and evaluation. Files without a split's name are the split "train". With
// `subset`, only the files below a folder of that name. Throws InputError that lists the splits
// that are there, or IoError when the path is missing.
std::vector<std::string> dataset_files(const std::string& path, const std::string& split_name,
                                       const std::optional<std::string>& subset);

// The local folder of a hub data set ("yahma/alpaca-cleaned") in Hugging Face's cache: below
// HF_HUB_CACHE, HF_HOME/hub or ~/.cache/huggingface/hub, the snapshot that refs/main names, else
// the newest one. nullopt when it is not there.
std::optional<std::string> find_in_hub_cache(const std::string& dataset_id);

}  // namespace aurum::data

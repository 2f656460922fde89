#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/field.h"
#include "config/values.h"

namespace aurum::config {

// One item of data.*.datasets.
struct DatasetParams {
  std::string dataset_name;
  std::optional<std::string> dataset_path;
  std::optional<std::string> subset;
  std::string split = "train";
  Mapping dataset_kwargs;
  std::optional<std::int64_t> sample_count;
  std::optional<double> mixture_proportion;
  bool shuffle = false;
  std::optional<std::int64_t> seed;
  std::int64_t shuffle_buffer_size = 1000;
  bool trust_remote_code = false;
  std::optional<CountOrWord> transform_num_workers;

  static void fields(auto& self, auto&& visit) {
    visit("dataset_name", self.dataset_name,
          acts("Name of the data set, or its hub id; text_sft_jsonl for rows at dataset_path.")
              .required());
    visit("dataset_path", self.dataset_path,
          acts("A .jsonl, .json or .parquet file (also .gz, .zst) or a folder of them."));
    visit("subset", self.subset, acts("Configuration of a hub data set; null is its default."));
    visit("split", self.split,
          acts("Split to read; in a folder, the files whose name starts with it."));
    visit("dataset_kwargs", self.dataset_kwargs,
          acts("Options of the data set: include_system_prompt for Alpaca rows."));
    visit("sample_count", self.sample_count,
          acts("Rows to take: the first ones, or drawn anew after a shuffle; null takes all.")
              .at_least(0)
              .in("rows"));
    visit("mixture_proportion", self.mixture_proportion,
          acts("Share of this data set in the mixture; all of them or none, summing to 1.")
              .between(0, 1));
    visit("shuffle", self.shuffle, acts("Shuffles the rows before sample_count takes some."));
    visit("seed", self.seed, acts("Seed of this data set's shuffle; null takes the split's."));
    visit("shuffle_buffer_size", self.shuffle_buffer_size,
          ignored("Rows in the shuffle buffer of a streamed data set.",
                  "a shuffle is always over all rows")
              .in("rows"));
    visit("trust_remote_code", self.trust_remote_code,
          refused("Runs the data set's own Python code.", "set it to false"));
    visit("transform_num_workers", self.transform_num_workers,
          ignored("Processes that transform rows, or auto.", "rows are prepared in this process"));
  }
};

// data.train, data.validation and data.test.
struct DatasetSplitParams {
  std::vector<DatasetParams> datasets;
  std::optional<std::string> collator_name;
  Mapping collator_kwargs;
  std::optional<std::string> train_target;
  bool pack = false;
  bool stream = false;
  std::optional<std::string> target_col;
  std::string mixture_strategy = "first_exhausted";
  std::optional<std::int64_t> seed;
  std::optional<bool> use_torchdata;

  static void fields(auto& self, auto&& visit) {
    visit("datasets", self.datasets);
    visit("collator_name", self.collator_name,
          ignored("Name of Oumi's data collator.", "rows are batched without padding"));
    visit("collator_kwargs", self.collator_kwargs,
          ignored("Options of the collator.", "rows are batched without padding"));
    visit("train_target", self.train_target,
          ignored("Which assistant turns count.", "distillation learns from the final answer")
              .one_of({{"ALL_ASSISTANT_TURNS"}, {"FINAL_ASSISTANT_TURN"}}));
    visit("pack", self.pack,
          refused("Packs several rows into one sequence.", "set it to false: rows stay apart"));
    visit("stream", self.stream,
          ignored("Reads rows as they are needed.", "rows are read once, before training"));
    visit("target_col", self.target_col,
          ignored("Column that holds the text.", "the columns of a row say what it is"));
    visit("mixture_strategy", self.mixture_strategy,
          acts("With mixture_proportion: stop when the first data set is used up, or repeat until "
               "all are.")
              .one_of({{"first_exhausted"}, {"all_exhausted"}}));
    visit("seed", self.seed, acts("Seed of the mixture and of shuffles; null takes data_seed."));
    visit("use_torchdata", self.use_torchdata,
          ignored("Uses the torchdata loader.", "there is one loader here"));
  }
};

struct DataParams {
  DatasetSplitParams train;
  DatasetSplitParams test;
  DatasetSplitParams validation;

  static void fields(auto& self, auto&& visit) {
    visit("train", self.train);
    visit("test", self.test);
    visit("validation", self.validation);
  }
};

}  // namespace aurum::config

#include "cli/training_data.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "data/dataset.h"

namespace aurum::cli {

namespace {

data::DatasetSource dataset_source(const config::DatasetParams& params, std::int64_t split_seed) {
  return {.name = params.dataset_name,
          .path = params.dataset_path,
          .subset = params.subset,
          .split = params.split,
          .options = params.dataset_kwargs.entries,
          .sample_count = params.sample_count,
          .proportion = params.mixture_proportion,
          .shuffle = params.shuffle,
          .seed = static_cast<std::uint64_t>(params.seed.value_or(split_seed))};
}

std::vector<data::Example> read_split(const config::DatasetSplitParams& split,
                                      const std::string& key, std::int64_t data_seed) {
  const std::int64_t seed = split.seed.value_or(data_seed);
  std::vector<data::DatasetSource> sources;
  for (const config::DatasetParams& params : split.datasets) {
    sources.push_back(dataset_source(params, seed));
  }
  const auto strategy = split.mixture_strategy == "all_exhausted"
                            ? data::MixtureStrategy::kAllExhausted
                            : data::MixtureStrategy::kFirstExhausted;
  data::LoadedExamples loaded =
      data::load_examples(sources, strategy, static_cast<std::uint64_t>(seed));
  if (loaded.num_skipped > 0) {
    log_warning("{}: {} rows have an empty prompt or completion and are skipped, the first at {}",
                key, loaded.num_skipped, loaded.first_skipped);
  }
  return std::move(loaded.examples);
}

}  // namespace

TrainingExamples read_training_examples(const config::TrainingConfig& config) {
  const std::int64_t data_seed = config.training.data_seed;
  TrainingExamples examples{.train = read_split(config.data.train, "data.train", data_seed)};
  if (examples.train.empty()) {
    throw ConfigError(fmt::format("{}: data.train.datasets has no rows: name a data set with rows",
                                  config.source));
  }
  if (config.training.eval_strategy == "no") return examples;
  examples.evaluation = read_split(config.data.validation, "data.validation", data_seed);
  if (examples.evaluation.empty()) {
    throw ConfigError(
        fmt::format("{}: training.eval_strategy is {}, but data.validation has no "
                    "rows: name a data set, or set training.eval_strategy: no",
                    config.place_of("training.eval_strategy"), config.training.eval_strategy));
  }
  return examples;
}

}  // namespace aurum::cli

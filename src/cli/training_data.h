#pragma once

#include <vector>

#include "config/training_config.h"
#include "data/example.h"

namespace aurum::cli {

struct TrainingExamples {
  std::vector<data::Example> train, evaluation;
};

// Reads and mixes the data sets of data.train and, when training.eval_strategy asks for them, of
// data.validation. Tells how many rows were skipped. Throws ConfigError or InputError when there is
// nothing to read.
TrainingExamples read_training_examples(const config::TrainingConfig& config);

}  // namespace aurum::cli

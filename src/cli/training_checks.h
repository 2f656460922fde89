#pragma once

#include <string>
#include <vector>

#include "config/training_config.h"

namespace aurum::cli {

// What a configuration alone cannot tell. Throws ConfigError for a regular expression that rollouts
// cannot be held to.
void check_guided_decoding(const config::TrainingConfig& config);

// One sentence for each data file or local model that the configuration names and that is not
// there.
std::vector<std::string> missing_files(const config::TrainingConfig& config);

}  // namespace aurum::cli

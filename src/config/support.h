#pragma once

#include <string>
#include <vector>

#include "config/training_config.h"

namespace aurum::config {

// The keys that a configuration sets, by what becomes of them here. A key without effect that is
// set to its default, or to false, counts as acting: it is honoured.
struct KeyNote {
  std::string path, place;
  std::string note;  // refused: what to do now; ignored: why
};
struct KeyClasses {
  std::vector<KeyNote> acting, refused, ignored;
};
KeyClasses classify_keys(const TrainingConfig& config);

// Throws ConfigError for what `train` cannot honour: a trainer other than TRL_GOLD, no teacher, a
// refused key that is not at its default, an optimizer or schedule that is not there.
void check_trainable(const TrainingConfig& config);

// One sentence for each warning: the configuration's own, and one for each ignored key.
std::vector<std::string> warnings(const TrainingConfig& config);

}  // namespace aurum::config

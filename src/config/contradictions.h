#pragma once

#include "config/training_config.h"

namespace aurum::config {

// Throws ConfigError for values that are fine alone but not together: Oumi's cross-checks, the ULD
// weights and temperatures that count only with use_uld_loss, mixture proportions, schedule
// options. The message names the keys and the place of one of them.
void check_contradictions(const TrainingConfig& config);

}  // namespace aurum::config

#pragma once

#include "config/training_config.h"

namespace aurum::config {

// Checks the names, types and ranges in training.lr_scheduler_kwargs, and what the schedule needs
// beside them. Throws ConfigError.
void check_schedule_options(const TrainingConfig& config);

}  // namespace aurum::config

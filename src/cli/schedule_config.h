#pragma once

#include <optional>

#include "config/training_config.h"
#include "train/lr_schedule.h"

namespace aurum::cli {

// What training.lr_scheduler_type and its options mean for a run of `max_steps`.
train::LrSchedule lr_schedule(const config::TrainingParams& training, std::int64_t max_steps);

// With reduce_lr_on_plateau.
std::optional<train::PlateauConfig> plateau_config(const config::TrainingParams& training);

}  // namespace aurum::cli

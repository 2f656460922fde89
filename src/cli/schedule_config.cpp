#include "cli/schedule_config.h"

#include <cmath>

namespace aurum::cli {

namespace {

using config::Json;

// Takes the entry over where there is one; its type is checked already.
template <typename Value>
void read(const Json& entries, const char* name, Value& value) {
  if (entries.contains(name) && !entries[name].is_null()) value = entries[name].get<Value>();
}

template <typename Value>
void read(const Json& entries, const char* name, std::optional<Value>& value) {
  if (entries.contains(name) && !entries[name].is_null()) value = entries[name].get<Value>();
}

}  // namespace

train::LrSchedule lr_schedule(const config::TrainingParams& training, std::int64_t max_steps) {
  const double warmup_share = training.warmup_ratio.value_or(0.0);
  train::LrSchedule schedule{
      .type = training.lr_scheduler_type,
      .peak = training.learning_rate,
      .warmup_steps = training.warmup_steps.value_or(
          static_cast<std::int64_t>(std::ceil(warmup_share * static_cast<double>(max_steps)))),
      .max_steps = max_steps};
  const Json& options = training.lr_scheduler_kwargs.entries;
  read(options, "num_cycles", schedule.num_cycles);
  read(options, "lr_end", schedule.lr_end);
  read(options, "power", schedule.power);
  read(options, "timescale", schedule.timescale);
  read(options, "min_lr", schedule.min_lr);
  read(options, "min_lr_rate", schedule.min_lr_rate);
  read(options, "warmup_lr_rate", schedule.warmup_lr_rate);
  read(options, "num_decay_steps", schedule.num_decay_steps);
  read(options, "num_stable_steps", schedule.num_stable_steps);
  read(options, "warmup_type", schedule.warmup_type);
  read(options, "decay_type", schedule.decay_type);
  read(options, "min_lr_ratio", schedule.min_lr_ratio);
  return schedule;
}

std::optional<train::PlateauConfig> plateau_config(const config::TrainingParams& training) {
  if (training.lr_scheduler_type != "reduce_lr_on_plateau") return std::nullopt;
  train::PlateauConfig plateau;
  const Json& options = training.lr_scheduler_kwargs.entries;
  read(options, "mode", plateau.mode);
  read(options, "factor", plateau.factor);
  read(options, "patience", plateau.patience);
  read(options, "threshold", plateau.threshold);
  read(options, "threshold_mode", plateau.threshold_mode);
  read(options, "cooldown", plateau.cooldown);
  read(options, "min_lr", plateau.min_lr);
  read(options, "eps", plateau.eps);
  return plateau;
}

}  // namespace aurum::cli

#pragma once

#include <filesystem>
#include <string>

#include "model/causal_lm.h"
#include "train/trainer.h"

namespace aurum::train {

// The names that a run's papers mention.
struct RunNames {
  std::string student, teacher;
};

// Writes what Oumi leaves in telemetry/ beside the metrics: the effective configuration, the world
// size, the devices and a summary of the student.
void write_run_records(const std::filesystem::path& run, const std::string& effective_yaml,
                       model::CausalLm& student);

// README.md of the final model: where it comes from, how it was made and how it did, with the
// metadata block that model hubs read. `log_history` are the lines of the metrics file.
std::string model_card(const RunNames& names, const TrainerConfig& config,
                       const std::filesystem::path& metrics_file);

}  // namespace aurum::train

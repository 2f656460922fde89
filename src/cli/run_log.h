#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string_view>

#include "base/log.h"
#include "report/progress_line.h"
#include "telemetry/step_metrics.h"
#include "telemetry/tensorboard_writer.h"

namespace aurum::cli {

// Writes what the trainer reports: JSON lines and a plain log in the run folder, a progress line
// on the terminal.
class RunLog {
 public:
  // Drops lines past `last_step`, which a killed run left behind; -1 drops all.
  // `tensorboard_folder`: empty for no events.
  RunLog(const std::filesystem::path& folder, const std::filesystem::path& tensorboard_folder,
         std::int64_t last_step, std::int64_t max_steps);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  void add(const telemetry::StepMetrics& metrics);
  void add(const telemetry::CompletionSample& sample);
  void finish() { progress_line_.finish(); }

 private:
  telemetry::JsonlWriter metrics_, samples_;
  std::optional<telemetry::TensorboardWriter> tensorboard_;
  report::ProgressLine progress_line_;
  std::shared_ptr<std::ofstream> log_;
};

}  // namespace aurum::cli

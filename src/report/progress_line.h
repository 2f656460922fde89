#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "telemetry/step_metrics.h"

namespace aurum::report {

// Tells a person how a run goes, on standard error: a line that rewrites itself on a terminal, a
// plain line per event elsewhere.
class ProgressLine {
 public:
  explicit ProgressLine(std::int64_t max_steps);
  void update(const telemetry::StepMetrics& metrics);
  void finish();

 private:
  std::int64_t max_steps_;
  bool is_terminal_;
  std::optional<std::int64_t> first_step_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace aurum::report

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "telemetry/step_metrics.h"

namespace aurum::report {

// Tells a person how a run goes, on standard error: a line that rewrites itself on a terminal,
// elsewhere a plain line, at most one every few seconds.
class ProgressLine {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ProgressLine(std::int64_t max_steps);
  void update(const telemetry::StepMetrics& metrics);
  void finish();

  // The line for `metrics` at `now`; it remembers when each step came, to tell the time left.
  std::string describe(const telemetry::StepMetrics& metrics, Clock::time_point now);

 private:
  std::string describe_time_left(std::int64_t step, Clock::time_point now);

  std::int64_t max_steps_;
  bool is_terminal_;
  // The first step seen and when: what came before (loading, a resumed run's past) is not speed.
  std::optional<std::int64_t> first_step_;
  Clock::time_point first_time_;
  std::optional<Clock::time_point> last_line_;
};

}  // namespace aurum::report

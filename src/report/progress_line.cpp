#include "report/progress_line.h"

#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "report/time_left.h"

namespace aurum::report {

namespace {
constexpr std::chrono::seconds kPlainLineInterval{5};
}  // namespace

ProgressLine::ProgressLine(std::int64_t max_steps)
    : max_steps_(max_steps), is_terminal_(::isatty(STDERR_FILENO) == 1) {}

std::string ProgressLine::describe_time_left(std::int64_t step, Clock::time_point now) {
  if (!first_step_) {
    first_step_ = step;
    first_time_ = now;
  }
  const std::int64_t done = step - *first_step_;
  if (done <= 0) return "";
  const double elapsed = std::chrono::duration<double>(now - first_time_).count();
  return "  " + report::describe_time_left(elapsed / static_cast<double>(done) *
                                           static_cast<double>(max_steps_ - step));
}

std::string ProgressLine::describe(const telemetry::StepMetrics& metrics, Clock::time_point now) {
  const std::string left = describe_time_left(metrics.step, now);
  std::string line = fmt::format("step {}/{}", metrics.step, max_steps_);
  if (metrics.loss) {
    line += fmt::format("  {}loss {:.4f}", metrics.is_evaluation ? "held-out " : "", *metrics.loss);
  }
  if (metrics.is_evaluation) return line;
  if (metrics.tokens_per_second) {
    line += fmt::format("  {:.0f} tokens/s", *metrics.tokens_per_second);
  }
  return line + left;
}

void ProgressLine::update(const telemetry::StepMetrics& metrics) {
  const Clock::time_point now = Clock::now();
  const std::string line = describe(metrics, now);
  if (is_terminal_) {
    fmt::print(stderr, "\r\033[K{}{}", line, metrics.is_evaluation ? "\n" : "");
    std::fflush(stderr);
    return;
  }
  const bool is_due = !last_line_ || now - *last_line_ >= kPlainLineInterval;
  if (!is_due && !metrics.is_evaluation && metrics.step < max_steps_) return;
  last_line_ = now;
  fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
}

void ProgressLine::finish() {
  if (is_terminal_) fmt::print(stderr, "\n");
}

}  // namespace aurum::report

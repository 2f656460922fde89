#include "report/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace aurum::report {

ProgressLine::ProgressLine(std::int64_t max_steps)
    : max_steps_(max_steps),
      is_terminal_(::isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()) {}

void ProgressLine::update(const telemetry::StepMetrics& metrics) {
  if (metrics.is_evaluation) {
    fmt::print(stderr, "{}step {}/{}  held-out loss {:.4f}\n", is_terminal_ ? "\r\033[K" : "",
               metrics.step, max_steps_, metrics.loss.value_or(0.0));
    return;
  }
  if (!first_step_) first_step_ = metrics.step - 1;
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const auto done = static_cast<double>(metrics.step - *first_step_);
  const auto left = static_cast<double>(max_steps_ - metrics.step) * elapsed / done;
  fmt::print(stderr, "{}step {}/{}  loss {:.4f}  {:.0f} tokens/s  {:.0f}:{:02.0f} left{}",
             is_terminal_ ? "\r\033[K" : "", metrics.step, max_steps_, metrics.loss.value_or(0.0),
             metrics.tokens_per_second.value_or(0.0), static_cast<double>(static_cast<int>(left) / 60),
             static_cast<double>(static_cast<int>(left) % 60), is_terminal_ ? "" : "\n");
  std::fflush(stderr);
}

void ProgressLine::finish() {
  if (is_terminal_) fmt::print(stderr, "\n");
}

}  // namespace aurum::report

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "loss/distillation_loss.h"
#include "telemetry/step_metrics.h"

namespace aurum::train {

// Sums over one optimizer window, or over the windows since the last log: they simply add up.
struct StepTotals {
  std::map<std::string, double> seconds;  // by phase
  loss::LossTerms terms;
  // Loss times the window's units, and the units of that policy: rows with ULD, positions with JSD.
  struct Policy {
    double weighted_loss = 0.0;
    std::int64_t units = 0;
  } on_policy, off_policy;
  std::int64_t steps = 0;
  std::int64_t tokens = 0;             // the student's, prompts included
  std::int64_t completion_tokens = 0;  // of rollouts
  std::int64_t cut_off = 0, rollouts = 0;
  std::int64_t groups = 0, multi_token_groups = 0;

  void add(const StepTotals& other);
  // Losses as means over the steps, seconds as sums. Parts that `config` leaves unused are absent.
  telemetry::StepMetrics metrics(const loss::LossConfig& config) const;
};

// Adds the seconds of its life to a phase.
class PhaseTimer {
 public:
  PhaseTimer(StepTotals& totals, const char* phase)
      : totals_(totals), phase_(phase), start_(Clock::now()) {}
  ~PhaseTimer() {
    totals_.seconds[phase_] += std::chrono::duration<double>(Clock::now() - start_).count();
  }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  StepTotals& totals_;
  const char* phase_;
  Clock::time_point start_;
};

}  // namespace aurum::train

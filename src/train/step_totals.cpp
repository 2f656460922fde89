#include "train/step_totals.h"

#include <algorithm>
#include <optional>

#include <sys/resource.h>

namespace aurum::train {

namespace {

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

std::optional<double> ratio(double sum, std::int64_t count) {
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

}  // namespace

void StepTotals::add(const StepTotals& other) {
  for (const auto& [phase, value] : other.seconds) seconds[phase] += value;
  terms += other.terms;
  on_policy.weighted_loss += other.on_policy.weighted_loss;
  on_policy.units += other.on_policy.units;
  off_policy.weighted_loss += other.off_policy.weighted_loss;
  off_policy.units += other.off_policy.units;
  steps += other.steps;
  tokens += other.tokens;
  completion_tokens += other.completion_tokens;
  cut_off += other.cut_off;
  rollouts += other.rollouts;
  groups += other.groups;
  multi_token_groups += other.multi_token_groups;
}

telemetry::StepMetrics StepTotals::metrics(const loss::LossConfig& config) const {
  telemetry::StepMetrics metrics;
  metrics.loss = ratio(terms.loss, steps);
  metrics.on_policy_loss = ratio(on_policy.weighted_loss, on_policy.units);
  metrics.off_policy_loss = ratio(off_policy.weighted_loss, off_policy.units);
  if (config.hybrid) {
    metrics.matched_loss = ratio(terms.matched, steps);
    metrics.unmatched_loss = ratio(terms.unmatched, steps);
  }
  if (config.crossentropy_weight > 0 || terms.cross_entropy != 0)
    metrics.cross_entropy = ratio(terms.cross_entropy, steps);
  metrics.completion_length_mean = ratio(static_cast<double>(completion_tokens), rollouts);
  metrics.completion_cut_off_share = ratio(static_cast<double>(cut_off), rollouts);
  metrics.multi_token_group_share = ratio(static_cast<double>(multi_token_groups), groups);
  metrics.seconds = seconds;
  const auto total = seconds.find("total");
  if (total != seconds.end() && total->second > 0) {
    metrics.tokens_per_second = static_cast<double>(tokens) / total->second;
  }
  metrics.peak_memory_bytes = peak_memory_bytes();
  return metrics;
}

}  // namespace aurum::train

// The formulas are those of transformers/optimization.py and torch/optim/lr_scheduler.py.

#include "train/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace aurum::train {

namespace {

constexpr std::int64_t kDefaultTimescale = 10'000;

double real(std::int64_t count) { return static_cast<double>(count); }
double at_least_one(std::int64_t count) { return real(std::max<std::int64_t>(1, count)); }

// From 0 to 1 as `progress` does.
double rise(const std::string& shape, double progress) {
  if (shape == "cosine") return 0.5 * (1.0 - std::cos(std::numbers::pi * progress));
  if (shape == "1-sqrt") return 1.0 - std::sqrt(1.0 - progress);
  return progress;
}

}  // namespace

double LrSchedule::at(std::int64_t step) const { return peak * factor(step); }

double LrSchedule::factor(std::int64_t step) const {
  if (type == "constant" || peak == 0.0) return 1.0;
  if (type == "warmup_stable_decay") return warmup_stable_decay(step);
  if (type == "cosine_warmup_with_min_lr") return cosine_after_lifted_warm_up(step);
  if (step < warmup_steps) return warm_up(step);
  if (type == "constant_with_warmup") return 1.0;
  if (type == "inverse_sqrt") return inverse_sqrt(step);
  if (type == "polynomial") return polynomial(step);
  const double progress = real(step - warmup_steps) / at_least_one(max_steps - warmup_steps);
  if (type == "cosine" || type == "cosine_with_min_lr") return cosine(progress);
  if (type == "cosine_with_restarts") return restarting_cosine(progress);
  return std::max(0.0, real(max_steps - step) / at_least_one(max_steps - warmup_steps));
}

double LrSchedule::warm_up(std::int64_t step) const {
  return real(step) / at_least_one(warmup_steps);
}

double LrSchedule::cosine(double progress) const {
  const double angle = std::numbers::pi * num_cycles.value_or(0.5) * 2.0 * progress;
  const double lowest = lowest_rate();
  return std::max(0.0, 0.5 * (1.0 + std::cos(angle)) * (1.0 - lowest) + lowest);
}

double LrSchedule::restarting_cosine(double progress) const {
  if (progress >= 1.0) return 0.0;
  const double cycle = std::fmod(num_cycles.value_or(1.0) * progress, 1.0);
  return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * cycle)));
}

// Every step counts as its end, so that neither the warm-up nor the cosine wastes one at 0.
double LrSchedule::cosine_after_lifted_warm_up(std::int64_t step) const {
  if (step >= warmup_steps) {
    return cosine(real(step - warmup_steps + 1) / at_least_one(max_steps - warmup_steps));
  }
  if (!warmup_lr_rate) return real(step + 1) / at_least_one(warmup_steps);
  return *warmup_lr_rate + (1.0 - *warmup_lr_rate) * real(step) / at_least_one(warmup_steps - 1);
}

double LrSchedule::polynomial(std::int64_t step) const {
  if (step > max_steps) return lr_end / peak;
  const double rest = 1.0 - real(step - warmup_steps) / at_least_one(max_steps - warmup_steps);
  return ((peak - lr_end) * std::pow(rest, power) + lr_end) / peak;
}

double LrSchedule::inverse_sqrt(std::int64_t step) const {
  const std::int64_t scale =
      timescale.value_or(warmup_steps > 0 ? warmup_steps : kDefaultTimescale);
  return 1.0 / std::sqrt(real(step + scale - warmup_steps) / real(scale));
}

double LrSchedule::warmup_stable_decay(std::int64_t step) const {
  const auto lift = [&](double f) {
    return std::max(0.0, f * (1.0 - min_lr_ratio) + min_lr_ratio);
  };
  if (step < warmup_steps) return lift(rise(warmup_type, warm_up(step)));
  const std::int64_t decay_begin =
      warmup_steps + num_stable_steps.value_or(max_steps - warmup_steps - num_decay_steps);
  if (step < decay_begin) return 1.0;
  if (step >= decay_begin + num_decay_steps) return min_lr_ratio;
  const double progress = real(step - decay_begin) / at_least_one(num_decay_steps);
  if (decay_type == "linear") return lift(1.0 - progress);
  if (decay_type == "1-sqrt") return lift(1.0 - std::sqrt(progress));
  const double angle = std::numbers::pi * num_cycles.value_or(0.5) * 2.0 * progress;
  return lift(0.5 * (1.0 + std::cos(angle)));
}

bool PlateauSchedule::is_better(double loss) const {
  if (!state_.best) return true;
  const double sign = config_.mode == "min" ? -1.0 : 1.0;
  const double border = config_.threshold_mode == "rel"
                            ? *state_.best * (1.0 + sign * config_.threshold)
                            : *state_.best + sign * config_.threshold;
  return sign * loss > sign * border;
}

void PlateauSchedule::observe(double loss) {
  if (is_better(loss)) {
    state_.best = loss;
    state_.num_bad = 0;
  } else {
    ++state_.num_bad;
  }
  if (state_.cooldown_left > 0) {
    --state_.cooldown_left;
    state_.num_bad = 0;
  }
  if (state_.num_bad <= config_.patience) return;
  const double lower = std::max(state_.rate * config_.factor, config_.min_lr);
  if (state_.rate - lower > config_.eps) state_.rate = lower;
  state_.cooldown_left = config_.cooldown;
  state_.num_bad = 0;
}

}  // namespace aurum::train

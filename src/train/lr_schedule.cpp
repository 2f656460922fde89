#include "train/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace aurum::train {

double LrSchedule::at(std::int64_t step) const {
  if (type == "constant") return peak;
  if (step < warmup_steps) {
    return peak * static_cast<double>(step) /
           static_cast<double>(std::max<std::int64_t>(1, warmup_steps));
  }
  if (type == "constant_with_warmup") return peak;
  const auto span = static_cast<double>(std::max<std::int64_t>(1, max_steps - warmup_steps));
  const double progress = std::min(1.0, static_cast<double>(step - warmup_steps) / span);
  if (type == "cosine") return peak * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  return peak * (1.0 - progress);
}

void check_schedule_type(const std::string& type) {
  for (const char* known : {"linear", "cosine", "constant", "constant_with_warmup"}) {
    if (type == known) return;
  }
  throw ConfigError(
      fmt::format("training.lr_scheduler_type is \"{}\"; supported: linear, cosine, constant, "
                  "constant_with_warmup",
                  type));
}

}  // namespace aurum::train

#pragma once

#include <cstdint>
#include <string>

namespace aurum::train {

// Learning-rate schedules by their Hugging Face names: linear, cosine, constant and
// constant_with_warmup. The warm-up rises linearly from 0.
struct LrSchedule {
  std::string type = "linear";
  double peak = 5e-5;
  std::int64_t warmup_steps = 0;
  std::int64_t max_steps = 1;

  // The rate of update number `step`, the first being 0.
  double at(std::int64_t step) const;
};

// Throws ConfigError that lists the supported names.
void check_schedule_type(const std::string& type);

}  // namespace aurum::train

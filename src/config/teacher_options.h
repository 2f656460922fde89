#pragma once

#include <optional>
#include <string>

#include "config/training_config.h"

namespace aurum::config {

// training.gold.teacher_model_init_kwargs: how the teacher is loaded.
struct TeacherOptions {
  std::string dtype = "auto";  // auto, float32 or bfloat16
  std::optional<std::string> device_map;
  std::optional<std::string> revision;
  bool operator==(const TeacherOptions&) const = default;
};

// The mapping as it is meant; what check_teacher_option() refuses must not be in it.
TeacherOptions teacher_options(const GoldParams& gold);

// What becomes of one entry of the mapping: kRefused and kIgnored come with the reason.
struct TeacherOptionNote {
  Effect effect = Effect::kActs;
  std::string note;
};
TeacherOptionNote check_teacher_option(const GoldParams& gold, const std::string& name);

}  // namespace aurum::config

#pragma once

#include <string>

#include "base/error.h"
#include "config/training_config.h"

namespace aurum::config {

// A configuration from text, with a student's name in front; its errors say "run.yaml:<line>".
inline TrainingConfig parse(const std::string& text, const Overrides& overrides = {}) {
  return parse_training_config("model: {model_name: m}\n" + text, "run.yaml", overrides);
}

inline std::string error_of(const std::string& text, const Overrides& overrides = {}) {
  try {
    parse(text, overrides);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace aurum::config

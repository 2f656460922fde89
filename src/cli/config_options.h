#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "config/training_config.h"

namespace aurum::cli {

// -c FILE, --set KEY=VALUE and the short options of commands that read a training config.
struct ConfigOptions {
  std::string file;
  std::vector<std::string> set;  // "dotted.key=yaml value", in the order given
  std::string model_name, output_dir, dataset;
  std::string learning_rate, max_steps, batch_size;
};

void add_config_options(CLI::App& command, ConfigOptions& options);

// Reads the file, then the dotted overrides, then the short options.
config::TrainingConfig load_config(const ConfigOptions& options);

// Turns `--dotted.key value`, `--dotted.key=value` and `dotted.key=value` into
// `--set dotted.key=value`.
std::vector<std::string> rewrite_dotted_overrides(const std::vector<std::string>& arguments);

}  // namespace aurum::cli

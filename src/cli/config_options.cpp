#include "cli/config_options.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace aurum::cli {

namespace {

// Whether an argument without dashes is `section.key=value`.
bool is_bare_override(const std::string& argument) {
  if (argument.find('=') == std::string::npos) return false;
  for (const char* section : {"data.", "model.", "training.", "peft.", "fsdp.", "deepspeed."}) {
    if (argument.rfind(section, 0) == 0) return true;
  }
  return false;
}

}  // namespace

void add_config_options(CLI::App& command, ConfigOptions& options) {
  command.add_option("-c,--config", options.file, "Oumi TrainingConfig, YAML")->required();
  command
      .add_option("--set", options.set, "KEY=VALUE over the file; `--dotted.key value` is the same")
      ->take_all()
      ->expected(1);
  command.add_option("--model-name", options.model_name, "Sets model.model_name");
  command.add_option("--output-dir", options.output_dir, "Sets training.output_dir");
  command.add_option("--dataset", options.dataset, "Sets data.train.datasets[0].dataset_path");
  command.add_option("--learning-rate", options.learning_rate, "Sets training.learning_rate");
  command.add_option("--max-steps", options.max_steps, "Sets training.max_steps");
  command.add_option("--batch-size", options.batch_size,
                     "Sets training.per_device_train_batch_size");
}

config::TrainingConfig load_config(const ConfigOptions& options) {
  config::Overrides overrides;
  for (const std::string& item : options.set) {
    const std::size_t equals = item.find('=');
    if (equals == std::string::npos) {
      throw InputError(fmt::format("--set {}: expected KEY=VALUE", item));
    }
    overrides.push_back({.path = item.substr(0, equals), .value = item.substr(equals + 1)});
  }
  const auto add = [&](const std::string& value, const char* key) {
    if (!value.empty()) overrides.push_back({.path = key, .value = value});
  };
  // Quoted, so that a name such as "on" stays text.
  const auto add_text = [&](const std::string& value, const char* key) {
    if (!value.empty()) add(nlohmann::json(value).dump(), key);
  };
  add_text(options.model_name, "model.model_name");
  add_text(options.output_dir, "training.output_dir");
  add_text(options.dataset, "data.train.datasets[0].dataset_path");
  if (!options.dataset.empty()) {
    overrides.push_back({.path = "data.train.datasets[0].dataset_name",
                         .value = "text_sft_jsonl",
                         .only_if_missing = true});
  }
  add(options.learning_rate, "training.learning_rate");
  add(options.max_steps, "training.max_steps");
  add(options.batch_size, "training.per_device_train_batch_size");
  return config::load_training_config(options.file, overrides);
}

std::vector<std::string> rewrite_dotted_overrides(const std::vector<std::string>& arguments) {
  std::vector<std::string> rewritten;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const std::size_t equals = argument.find('=');
    std::string name = argument.substr(0, equals);
    const bool is_dashed = name.rfind("--", 0) == 0 && name.find('.') != std::string::npos;
    if (!is_dashed && !is_bare_override(argument)) {
      rewritten.push_back(argument);
      continue;
    }
    if (is_dashed) name = name.substr(2);
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size() && arguments[i + 1].rfind("--", 0) != 0) {
      value = arguments[++i];
    } else {
      throw InputError(fmt::format("--{}: a value is missing", name));
    }
    rewritten.push_back("--set");
    rewritten.push_back(name + "=" + value);
  }
  return rewritten;
}

}  // namespace aurum::cli

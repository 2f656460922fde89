#include "cli/config_options.h"

#include "base/error.h"

namespace aurum::cli {

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
  std::vector<std::pair<std::string, std::string>> overrides;
  for (const std::string& item : options.set) {
    const std::size_t equals = item.find('=');
    if (equals == std::string::npos) {
      throw InputError(fmt::format("--set {}: expected KEY=VALUE", item));
    }
    overrides.emplace_back(item.substr(0, equals), item.substr(equals + 1));
  }
  const auto add = [&](const std::string& value, const char* key) {
    if (!value.empty()) overrides.emplace_back(key, value);
  };
  add(options.model_name, "model.model_name");
  add(options.output_dir, "training.output_dir");
  add(options.dataset, "data.train.datasets[0].dataset_path");
  add(options.learning_rate, "training.learning_rate");
  add(options.max_steps, "training.max_steps");
  add(options.batch_size, "training.per_device_train_batch_size");
  return config::load_training_config(options.file, overrides);
}

std::vector<std::string> rewrite_dotted_overrides(const std::vector<std::string>& arguments) {
  std::vector<std::string> rewritten;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    std::string name = argument.substr(0, argument.find('='));
    // Items are also written without dashes: data.train.datasets[0].dataset_path=rows.jsonl
    const bool dashed = name.rfind("--", 0) == 0;
    const bool is_item = !dashed && name.rfind("data.", 0) == 0 && argument.size() > name.size();
    if ((!dashed || name.find('.') == std::string::npos) && !is_item) {
      rewritten.push_back(argument);
      continue;
    }
    if (dashed) name = name.substr(2);
    const std::size_t equals = argument.find('=');
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (++i < arguments.size()) {
      value = arguments[i];
    } else {
      throw InputError(fmt::format("--{}: a value is missing", name));
    }
    rewritten.push_back("--set");
    rewritten.push_back(name + "=" + value);
  }
  return rewritten;
}

}  // namespace aurum::cli

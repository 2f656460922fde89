// aurum config: check, show and export training configs.

#include <iostream>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "config/acting_config.h"

namespace aurum::cli {

namespace {

void check_files(const std::vector<std::string>& files) {
  bool failed = false;
  for (const std::string& file : files) {
    try {
      const config::TrainingConfig config = config::load_training_config(file, {});
      std::cout << file << ": ok\n";
      for (const std::string& key : config.keys_without_effect) {
        log_warning("{}: {} has no effect here", file, key);
      }
    } catch (const Error& error) {
      failed = true;
      const std::string what = error.what();
      std::cout << (what.rfind(file, 0) == 0 ? what : file + ": " + what) << "\n";
    }
  }
  std::cout.flush();
  if (failed) throw ExitWithCode{2};
}

void export_config(const ConfigOptions& options, const std::string& format) {
  if (format != "trl") {
    throw InputError(fmt::format("--format {}: only trl is supported", format));
  }
  std::cout << config::export_trl(load_config(options));
}

}  // namespace

void add_config_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("config", "Check, show and export training configs");
  command->require_subcommand(1);
  command->footer("Example: aurum config check configs/demo.yaml");

  auto files = std::make_shared<std::vector<std::string>>();
  CLI::App* check = command->add_subcommand("check", "Validate YAML files");
  check->add_option("files", *files, "YAML files")->required();
  check->footer("Example: aurum config check configs/*.yaml");
  check->callback([files] { check_files(*files); });

  auto shown = std::make_shared<ConfigOptions>();
  CLI::App* show = command->add_subcommand("show", "Print the effective config as YAML");
  add_config_options(*show, *shown);
  show->footer("Example: aurum config show -c configs/demo.yaml --training.gold.beta 0.3");
  show->callback([shown] { std::cout << load_config(*shown).effective_yaml; });

  auto exported = std::make_shared<ConfigOptions>();
  auto format = std::make_shared<std::string>("trl");
  CLI::App* exporter = command->add_subcommand("export", "Print it as another library's arguments");
  add_config_options(*exporter, *exported);
  exporter->add_option("--format", *format, "trl: JSON of GOLDConfig's arguments");
  exporter->footer("Example: aurum config export --format trl -c configs/demo.yaml");
  exporter->callback([exported, format] { export_config(*exported, *format); });
}

}  // namespace aurum::cli

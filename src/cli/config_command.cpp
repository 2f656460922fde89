// aurum config: check, show, export and document training configs.

#include <iostream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "cli/training_checks.h"
#include "config/reference.h"
#include "config/support.h"

namespace aurum::cli {

namespace {

using Json = nlohmann::ordered_json;

Json notes_to_json(const std::vector<config::KeyNote>& notes) {
  Json list = Json::array();
  for (const config::KeyNote& note : notes) {
    Json item = {{"key", note.path}, {"place", note.place}};
    if (!note.note.empty()) item["note"] = note.note;
    list.push_back(std::move(item));
  }
  return list;
}

// The report of one file; throws what is wrong with it.
Json check_file(const std::string& file) {
  const config::TrainingConfig config = config::load_training_config(file);
  config::check_complete(config);
  check_guided_decoding(config);
  const config::KeyClasses classes = config::classify_keys(config);
  return {{"file", file},
          {"ok", true},
          {"acts", notes_to_json(classes.acting)},
          {"refused", notes_to_json(classes.refused)},
          {"no_effect", notes_to_json(classes.ignored)},
          {"missing", missing_files(config)},
          {"warnings", config.warnings}};
}

// Tells on standard error which keys fall in which class.
void explain(const Json& report) {
  const auto file = report["file"].get<std::string>();
  std::vector<std::string> acting;
  for (const Json& item : report["acts"]) acting.push_back(item["key"].get<std::string>());
  log_info("{}: these keys act: {}", file, fmt::join(acting, ", "));
  const auto each = [&](const char* list, const char* what) {
    for (const Json& item : report[list]) {
      log_warning("{}: {} {}: {}", item["place"].get<std::string>(), item["key"].get<std::string>(),
                  what, item["note"].get<std::string>());
    }
  };
  each("refused", "is refused by train");
  each("no_effect", "has no effect here");
  for (const char* list : {"missing", "warnings"}) {
    for (const Json& sentence : report[list]) log_warning("{}", sentence.get<std::string>());
  }
}

void check_files(const std::vector<std::string>& files, bool as_json) {
  bool failed = false;
  for (const std::string& file : files) {
    try {
      const Json report = check_file(file);
      if (as_json) {
        std::cout << report.dump() << "\n";
      } else {
        std::cout << file << ": ok\n" << std::flush;
        explain(report);
      }
    } catch (const InternalError&) {
      throw;
    } catch (const Error& error) {
      failed = true;
      const std::string what = error.what();
      const std::string line = what.rfind(file, 0) == 0 ? what : file + ": " + what;
      std::cout << (as_json ? Json{{"file", file}, {"ok", false}, {"error", line}}.dump() : line)
                << "\n";
    }
  }
  std::cout.flush();
  if (failed) throw ExitWithCode{2};
}

void export_config(const ConfigOptions& options, const std::string& format) {
  if (format != "trl") {
    throw InputError(fmt::format("--format {}: only trl is supported", format));
  }
  std::cout << config::to_trl_arguments(load_config(options)).dump(2) << "\n";
}

void add_check(CLI::App& command) {
  auto files = std::make_shared<std::vector<std::string>>();
  auto as_json = std::make_shared<bool>(false);
  CLI::App* check = command.add_subcommand(
      "check", "Validate YAML files; say which keys act, are refused by train, or have no effect");
  check->add_option("files", *files, "YAML files")->required();
  check->add_flag("--json", *as_json, "One JSON object a file");
  check->footer("Example: aurum config check configs/*.yaml");
  check->callback([files, as_json] { check_files(*files, *as_json); });
}

void add_show(CLI::App& command) {
  auto options = std::make_shared<ConfigOptions>();
  auto with_help = std::make_shared<bool>(false);
  CLI::App* show = command.add_subcommand("show", "Print the effective config as YAML");
  add_config_options(*show, *options);
  show->add_flag("--with-help", *with_help, "Explain each key in a comment above it");
  show->footer("Example: aurum config show -c configs/demo.yaml --training.gold.beta 0.3");
  show->callback(
      [options, with_help] { std::cout << config::to_yaml(load_config(*options), *with_help); });
}

void add_export(CLI::App& command) {
  auto options = std::make_shared<ConfigOptions>();
  auto format = std::make_shared<std::string>("trl");
  CLI::App* exporter = command.add_subcommand("export", "Print it as another library's arguments");
  add_config_options(*exporter, *options);
  exporter->add_option("--format", *format, "trl: JSON of GOLDConfig's arguments");
  exporter->footer("Example: aurum config export --format trl -c configs/demo.yaml");
  exporter->callback([options, format] { export_config(*options, *format); });
}

}  // namespace

void add_config_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("config", "Check, show and export training configs");
  command->require_subcommand(1);
  command->footer("Example: aurum config check configs/demo.yaml");
  add_check(*command);
  add_show(*command);
  add_export(*command);
  CLI::App* docs = command->add_subcommand("docs", "Print every key as Markdown");
  docs->footer("Example: aurum config docs > docs/config.md");
  docs->callback([] { std::cout << config::reference_markdown(); });
}

}  // namespace aurum::cli

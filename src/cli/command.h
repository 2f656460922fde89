#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace aurum::cli {

// Each command lives in one file and adds itself to the program: it defines its options and sets a
// callback that does the work. Errors are thrown; main turns them into one line and an exit code.
// A callback that has printed its own errors throws ExitWithCode.
struct ExitWithCode {
  int code;
};

void add_align_command(CLI::App& app);
void add_config_command(CLI::App& app);
void add_convert_command(CLI::App& app);
void add_generate_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_logits_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_template_command(CLI::App& app);
void add_tokenize_command(CLI::App& app);
void add_train_command(CLI::App& app);

// True when `stream` (1 or 2) is a terminal and --no-color was not given.
bool use_color(int stream);
void disable_color();

// Standard input and output of a command that reads and writes JSON lines.
struct JsonLinesOptions {
  std::string input = "-";
  std::string output = "-";
};
void add_json_lines_options(CLI::App& command, JsonLinesOptions& options);

// Calls `answer` for each input line and writes what it returns, one line each, in order. A line
// that is not JSON, or for which `answer` throws an aurum::Error, gives {"error", "line"} in its
// place and the whole call throws ExitWithCode{2} at the end. An output file is written whole or
// not at all.
using JsonLineAnswer = std::function<nlohmann::ordered_json(const nlohmann::ordered_json& request)>;
void answer_json_lines(const JsonLinesOptions& options, const JsonLineAnswer& answer);

}  // namespace aurum::cli

#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

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
void add_loss_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_serve_command(CLI::App& app);
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

// One line of input and what to print for it.
struct JsonLine {
  std::int64_t number = 0;  // in the input, from 1
  nlohmann::ordered_json request, result;
  bool failed = false;

  // Sets `result` to what `work` returns; an aurum::Error or a JSON error that it throws becomes
  // {"error", "line"}.
  void answer(const std::function<nlohmann::ordered_json()>& work);
};

// Calls `answer` for groups of up to `group_size` input lines and writes their results, one line
// each, in order. A group never waits for lines that are not there yet. Lines that are not JSON
// objects come with `failed` set. When any line failed, the whole call throws ExitWithCode{2} at
// the end. An output file is written whole or not at all.
using JsonLineGroupAnswer = std::function<void(std::vector<JsonLine>& lines)>;
void answer_json_line_groups(const JsonLinesOptions& options, std::size_t group_size,
                             const JsonLineGroupAnswer& answer);

// The same line by line.
using JsonLineAnswer = std::function<nlohmann::ordered_json(const nlohmann::ordered_json& request)>;
void answer_json_lines(const JsonLinesOptions& options, const JsonLineAnswer& answer);

}  // namespace aurum::cli

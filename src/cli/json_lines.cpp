#include <fstream>
#include <iostream>
#include <ostream>

#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"

namespace aurum::cli {

namespace {

using Json = nlohmann::ordered_json;

bool color_is_disabled = false;

// Answers every line; true when all of them were good.
bool answer_lines(std::istream& in, std::ostream& out, const JsonLineAnswer& answer) {
  bool all_good = true;
  std::int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    Json result;
    try {
      const Json request = Json::parse(line, nullptr, false);
      if (!request.is_object()) throw InputError("this line is not a JSON object");
      result = answer(request);
    } catch (const InternalError&) {
      throw;
    } catch (const Error& error) {
      result = {{"error", error.what()}, {"line", number}};
    } catch (const nlohmann::json::exception& error) {
      result = {{"error", error.what()}, {"line", number}};
    }
    all_good = all_good && !result.contains("error");
    out << result.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n' << std::flush;
    if (!out) throw IoError("cannot write the output: is the disk full?");
  }
  return all_good;
}

}  // namespace

bool use_color(int stream) { return !color_is_disabled && ::isatty(stream) == 1; }
void disable_color() { color_is_disabled = true; }

void add_json_lines_options(CLI::App& command, JsonLinesOptions& options) {
  command.add_option("--input", options.input, "JSON lines to read; - is standard input");
  command.add_option("--output", options.output, "File to write; - is standard output");
}

void answer_json_lines(const JsonLinesOptions& options, const JsonLineAnswer& answer) {
  std::ifstream file;
  if (options.input != "-") {
    file.open(options.input, std::ios::binary);
    if (!file || std::filesystem::is_directory(options.input)) {
      throw IoError(options.input + ": cannot read this file");
    }
  }
  std::istream& in = options.input == "-" ? std::cin : file;
  bool all_good = true;
  if (options.output == "-") {
    all_good = answer_lines(in, std::cout, answer);
  } else {
    write_file(options.output,
               [&](std::ostream& out) { all_good = answer_lines(in, out, answer); });
  }
  if (!all_good) throw ExitWithCode{2};
}

}  // namespace aurum::cli

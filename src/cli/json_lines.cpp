#include <fstream>
#include <iostream>
#include <ostream>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"

namespace aurum::cli {

namespace {

using Json = nlohmann::ordered_json;

bool color_is_disabled = false;

// True when a line can be read without waiting for whoever writes the input.
bool has_more(std::istream& in) {
  if (in.rdbuf()->in_avail() > 0) return true;
  if (&in != &std::cin) return in.peek() != std::char_traits<char>::eof();
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, 0) > 0;
}

std::vector<JsonLine> read_group(std::istream& in, std::size_t size, std::int64_t& number) {
  std::vector<JsonLine> lines;
  for (std::string text; lines.size() < size && (lines.empty() || has_more(in));) {
    if (!std::getline(in, text)) break;
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    lines.push_back({.number = number, .request = Json::parse(text, nullptr, false)});
    if (lines.back().request.is_object()) continue;
    lines.back().answer([]() -> Json { throw InputError("this line is not a JSON object"); });
  }
  return lines;
}

// Answers every line; true when all of them were good.
bool answer_lines(std::istream& in, std::ostream& out, std::size_t group_size,
                  const JsonLineGroupAnswer& answer) {
  bool all_good = true;
  std::int64_t number = 0;
  for (;;) {
    std::vector<JsonLine> lines = read_group(in, group_size, number);
    if (lines.empty()) return all_good;
    answer(lines);
    for (const JsonLine& line : lines) {
      all_good = all_good && !line.failed;
      out << line.result.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    }
    if (!out.flush()) throw IoError("cannot write the output: is the disk full?");
  }
}

}  // namespace

bool use_color(int stream) { return !color_is_disabled && ::isatty(stream) == 1; }
void disable_color() { color_is_disabled = true; }

void add_json_lines_options(CLI::App& command, JsonLinesOptions& options) {
  command.add_option("--input", options.input, "JSON lines to read; - is standard input");
  command.add_option("--output", options.output, "File to write; - is standard output");
}

void JsonLine::answer(const std::function<Json()>& work) {
  const auto fail = [this](const char* what) {
    result = {{"error", what}, {"line", number}};
    failed = true;
  };
  try {
    result = work();
  } catch (const InternalError&) {
    throw;
  } catch (const Error& error) {
    fail(error.what());
  } catch (const nlohmann::json::exception& error) {
    fail(error.what());
  }
}

void answer_json_line_groups(const JsonLinesOptions& options, std::size_t group_size,
                             const JsonLineGroupAnswer& answer) {
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
    all_good = answer_lines(in, std::cout, group_size, answer);
  } else {
    write_file(options.output,
               [&](std::ostream& out) { all_good = answer_lines(in, out, group_size, answer); });
  }
  if (!all_good) throw ExitWithCode{2};
}

void answer_json_lines(const JsonLinesOptions& options, const JsonLineAnswer& answer) {
  answer_json_line_groups(options, 1, [&](std::vector<JsonLine>& lines) {
    for (JsonLine& line : lines) {
      if (!line.failed) line.answer([&] { return answer(line.request); });
    }
  });
}

}  // namespace aurum::cli

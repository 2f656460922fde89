#include "data/rows.h"

#include <array>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "data/byte_stream.h"
#include "data/parquet/parquet_file.h"

namespace aurum::data {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_blank(int c) { return c > 0 && kBlanks.find(static_cast<char>(c)) != kBlanks.npos; }

// "rows.jsonl.gz" -> ".jsonl"
std::string row_extension(const std::string& name) {
  std::filesystem::path path(name);
  const std::string last = path.extension().string();
  if (last == ".gz" || last == ".zst") path = path.stem();
  return path.extension().string();
}

OrderedJson parse_object(const std::string& text, const std::string& source, const char* what) {
  OrderedJson row = OrderedJson::parse(text, nullptr, false);
  if (row.is_discarded()) throw InputError(fmt::format("{}: this {} is not JSON", source, what));
  if (!row.is_object()) throw InputError(source + ": a row must be a JSON object");
  return row;
}

void read_lines(LineReader& reader, const RowSink& sink) {
  for (std::string line; reader.next(line);) {
    if (line.find_first_not_of(kBlanks) == std::string::npos) continue;
    const std::string source = fmt::format("{}:{}", reader.path(), reader.line_number());
    if (!sink(parse_object(line, source, "line"), source)) return;
  }
}

// Splits the text of an array into its elements without parsing them.
class ElementScanner {
 public:
  explicit ElementScanner(LineReader& reader) : reader_(reader) {}

  // The text of the next element, and the line it starts at; false behind the last.
  bool next(std::string& text, std::int64_t& line) {
    skip_blanks();
    const int first = reader_.get();
    if (first == ']') return check_end();
    const char expected = is_first_ ? '[' : ',';
    if (first != expected) fail(fmt::format("expected '{}'", expected));
    is_first_ = false;
    skip_blanks();
    if (expected == '[' && reader_.peek() == ']') {
      reader_.get();
      return check_end();
    }
    text.clear();
    take_element(text, line);
    return true;
  }

 private:
  void skip_blanks() {
    while (is_blank(reader_.peek())) reader_.get();
  }

  bool check_end() {
    skip_blanks();
    if (reader_.peek() != -1) fail("text behind the closing ]");
    return false;
  }

  void take_element(std::string& text, std::int64_t& line) {
    int depth = 0;
    bool in_string = false;
    for (;;) {
      const int next = reader_.peek();
      if (next == -1) fail("the array is not closed");
      if (depth == 0 && !in_string && (next == ',' || next == ']')) break;
      const char c = static_cast<char>(reader_.get());
      if (text.empty()) line = reader_.line_number();
      text += c;
      if (text.size() > LineReader::kMostBytes) fail("this row is too large");
      if (in_string) {
        if (c == '\\' && reader_.peek() != -1) text += static_cast<char>(reader_.get());
        in_string = c != '"';
      } else if (c == '"') {
        in_string = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        --depth;
      }
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}:{}: this file is not a JSON array of objects: {}",
                                 reader_.path(), reader_.line_number(), what));
  }

  LineReader& reader_;
  bool is_first_ = true;
};

void read_array(LineReader& reader, const RowSink& sink) {
  ElementScanner scanner(reader);
  std::string text;
  std::int64_t line = 0;
  while (scanner.next(text, line)) {
    const std::string source = fmt::format("{}:{}", reader.path(), line);
    if (!sink(parse_object(text, source, "row"), source)) return;
  }
}

}  // namespace

bool is_row_file(const std::string& name) {
  const std::string extension = row_extension(name);
  return extension == ".jsonl" || extension == ".ndjson" || extension == ".json" ||
         (extension == ".parquet" && name.ends_with(".parquet"));
}

void read_rows(const std::string& path, const RowSink& sink) {
  const std::string extension = row_extension(path);
  if (extension == ".parquet") return read_parquet_rows(path, sink);
  LineReader reader(path);
  while (extension == ".json" && is_blank(reader.peek())) reader.get();
  if (extension == ".json" && reader.peek() == '[') {
    read_array(reader, sink);
  } else {
    read_lines(reader, sink);
  }
}

}  // namespace aurum::data

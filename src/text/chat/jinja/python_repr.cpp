#include "text/chat/jinja/python_repr.h"

#include <algorithm>

#include <fmt/format.h>

#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_text.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

std::string escape_code(char32_t c) {
  const auto code = static_cast<std::uint32_t>(c);
  if (code < 0x100) return fmt::format("\\x{:02x}", code);
  return code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
}

void append_escaped(char32_t c, char32_t quote, std::string& out) {
  if (c == quote || c == '\\') {
    out += '\\';
    append_code_point(c, out);
  } else if (c == '\n' || c == '\r' || c == '\t') {
    out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
  } else if (is_printable(c)) {
    append_code_point(c, out);
  } else {
    out += escape_code(c);
  }
}

// Builds the text of containers in one string, checking the budget as it grows.
class Printer {
 public:
  std::string take() { return std::move(out_); }

  void print(const Value& value) {
    count_step();
    check_memory(out_.size());
    if (const Sequence* sequence = value.sequence()) return print(*sequence);
    if (const Dict* dict = value.dict()) return print(*dict);
    if (const Text* text = value.text()) {
      const std::string quoted = repr_text(text->bytes);
      out_ += text->is_markup ? "Markup(" + quoted + ")" : quoted;
    } else if (value.is_undefined()) {
      out_ += "Undefined";
    } else {
      out_ += to_text(value);
    }
  }

 private:
  void print(const Sequence& sequence) {
    const std::string name = sequence.is_view() ? value_type(sequence) + "(" : "";
    const bool is_tuple =
        sequence.form == Sequence::Form::kTuple || sequence.form == Sequence::Form::kGroup;
    out_ += name + (is_tuple ? "(" : "[");
    for (std::size_t i = 0; i < sequence.items.size(); ++i) {
      if (i > 0) out_ += ", ";
      print(sequence.items[i]);
    }
    if (is_tuple && sequence.items.size() == 1) out_ += ',';
    out_ += is_tuple ? ")" : "]";
    if (!name.empty()) out_ += ')';
  }

  void print(const Dict& dict) {
    out_ += '{';
    bool first = true;
    for (const auto& [key, item] : dict.entries()) {
      if (!first) out_ += ", ";
      first = false;
      print(key);
      out_ += ": ";
      print(item);
    }
    out_ += '}';
  }

  static std::string value_type(const Sequence& sequence) {
    return sequence.form == Sequence::Form::kKeys     ? "dict_keys"
           : sequence.form == Sequence::Form::kValues ? "dict_values"
                                                      : "dict_items";
  }

  std::string out_;
};

std::string range_text(const Range& range) {
  if (range.step == 1) return fmt::format("range({}, {})", range.start, range.stop);
  return fmt::format("range({}, {}, {})", range.start, range.stop, range.step);
}

}  // namespace

std::string repr_text(std::string_view text) {
  count_bytes(4 * text.size());
  check_memory(text.size());
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t at = 0; at < text.size();) {
    append_escaped(next_code_point(text, at), static_cast<char32_t>(quote), out);
  }
  return out + quote;
}

std::string repr(const Value& value) {
  Printer printer;
  printer.print(value);
  return printer.take();
}

std::string ascii(const Value& value) {
  const std::string text = repr(value);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else {
      out += escape_code(c);
    }
  }
  return out;
}

std::string to_text(const Value& value) {
  if (const Text* text = value.text()) return text->bytes;
  if (value.is_undefined()) return "";
  if (value.is_none()) return "None";
  if (value.is_bool()) return *value.as_integer() != 0 ? "True" : "False";
  if (value.is_integer()) return integer_text(*value.as_integer());
  if (value.is_float()) return float_text(*value.as_float());
  if (const Range* range = value.range()) return range_text(*range);
  if (const Iterator* iterator = value.iterator()) {
    return fmt::format("<{} object>", iterator->type_name);
  }
  if (const Object* object = value.object()) return object->repr();
  return repr(value);
}

}  // namespace aurum::text::jinja

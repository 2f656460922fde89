#include "text/chat/jinja/format_method.h"

#include <algorithm>

#include <fmt/format.h>

#include "text/chat/jinja/access.h"
#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 10 &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

class Formatter {
 public:
  Formatter(bool is_markup, const Arguments& arguments)
      : is_markup_(is_markup), arguments_(arguments) {}

  std::string run(std::string_view format, int levels) {
    if (levels == 0) fail("Max string recursion exceeded");
    std::string out;
    std::size_t at = 0;
    while (at < format.size()) {
      const char c = format[at++];
      if (c != '{' && c != '}') {
        out += c;
      } else if (at < format.size() && format[at] == c) {
        out += c;
        ++at;
      } else if (c == '}') {
        fail("Single '}' encountered in format string");
      } else {
        const std::size_t end = end_of_field(format, at);
        out += field(format.substr(at, end - at), levels);
        check_memory(out.size());
        at = end + 1;
      }
    }
    return out;
  }

 private:
  static std::size_t end_of_field(std::string_view format, std::size_t at) {
    for (int depth = 1; at < format.size(); ++at) {
      if (format[at] == '{') ++depth;
      if (format[at] == '}' && --depth == 0) return at;
    }
    fail("expected '}' before end of string");
  }

  // name[!conversion][:specification]
  std::string field(std::string_view field, int levels) {
    std::size_t end = 0;
    for (bool in_brackets = false; end < field.size(); ++end) {
      if (field[end] == '[') in_brackets = true;
      if (field[end] == ']') in_brackets = false;
      if (!in_brackets && (field[end] == '!' || field[end] == ':')) break;
    }
    Value value = look_up(field.substr(0, end));
    field.remove_prefix(end);
    if (field.starts_with('!')) {
      if (field.size() < 2 || (field.size() > 2 && field[2] != ':')) {
        fail("expected ':' after conversion specifier");
      }
      value = convert(value, field[1]);
      field.remove_prefix(2);
    }
    if (field.starts_with(':')) field.remove_prefix(1);
    return print(value, run(field, levels - 1));
  }

  static Value convert(const Value& value, char conversion) {
    if (conversion == 's') return to_text(value);
    if (conversion == 'r') return repr(value);
    if (conversion == 'a') return ascii(value);
    fail(fmt::format("unknown conversion specifier '{}'", conversion));
  }

  std::string print(const Value& value, const std::string& specification) const {
    const bool is_safe = value.text() != nullptr && value.text()->is_markup;
    const std::string text = format_value(value, specification);
    return is_markup_ && !is_safe ? escape_html(text) : text;
  }

  Value look_up(std::string_view name) {
    std::size_t end = name.find_first_of(".[");
    if (end == std::string_view::npos) end = name.size();
    Value value = first(name.substr(0, end));
    name.remove_prefix(end);
    while (!name.empty()) value = step(value, name);
    return value;
  }

  Value first(std::string_view name) {
    if (name.empty()) {
      if (next_ < 0) fail("cannot switch from manual field specification to automatic numbering");
      return positional(static_cast<std::size_t>(next_++));
    }
    if (is_number(name)) {
      if (next_ > 0) fail("cannot switch from automatic field numbering to manual specification");
      next_ = -1;
      return positional(static_cast<std::size_t>(std::stoul(std::string(name))));
    }
    const Value* found = arguments_.keyword(name);
    if (found == nullptr) fail(fmt::format("format() got no argument '{}'", name));
    return *found;
  }

  Value positional(std::size_t index) const {
    if (index >= arguments_.positional.size()) {
      fail("Replacement index out of range for positional args tuple");
    }
    return arguments_.positional[index];
  }

  // Follows one .attribute or [item] and removes it from `rest`.
  static Value step(const Value& value, std::string_view& rest) {
    const bool is_item = rest[0] == '[';
    if (!is_item && rest[0] != '.')
      fail("Only '.' or '[' may follow ']' in format field specifier");
    std::size_t end = is_item ? rest.find(']') : rest.find_first_of(".[", 1);
    if (is_item && end == std::string_view::npos) fail("Missing ']' in format string");
    end = std::min(end, rest.size());
    const std::string_view name = rest.substr(1, end - 1);
    if (name.empty()) fail("Empty attribute in format string");
    rest.remove_prefix(is_item ? end + 1 : end);
    if (!is_item) return attribute_of(value, name);
    if (is_number(name)) return item_of(value, Value(std::stoi(std::string(name))));
    return item_of(value, Value(std::string(name)));
  }

  bool is_markup_;
  const Arguments& arguments_;
  int next_ = 0;  // -1 once a field named its position
};

}  // namespace

Value format_with(const Text& format, const Arguments& arguments) {
  count_bytes(format.bytes.size());
  return Value::make_text(Formatter(format.is_markup, arguments).run(format.bytes, 3),
                          format.is_markup);
}

}  // namespace aurum::text::jinja

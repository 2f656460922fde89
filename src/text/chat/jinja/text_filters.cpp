// Filters that make text: their input is converted with str() first.

#include <algorithm>

#include <fmt/format.h>

#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/filters.h"
#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/methods.h"
#include "text/chat/jinja/printf_format.h"
#include "text/chat/jinja/python_json.h"
#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/python_text.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

using Bound = const BoundArguments&;

bool is_markup(const Value& value) { return value.text() != nullptr && value.text()->is_markup; }

// soft_str(value): keeps a string as it is, safe or not.
Value as_text(const Value& value) {
  return value.text() != nullptr ? value : Value(to_text(value));
}

template <std::string (*kChange)(std::string_view)>
Value change(const Value& input, Bound) {
  return Value::make_text(kChange(to_text(input)), is_markup(input));
}

Value string(const Value& input, Bound) { return as_text(input); }

Value safe(const Value& input, Bound) { return Value::make_text(to_text(input), true); }

Value escape(const Value& input, Bound) {
  return is_markup(input) ? input : Value::make_text(escape_html(to_text(input)), true);
}

Value force_escape(const Value& input, Bound) {
  return Value::make_text(escape_html(to_text(input)), true);
}

Value trim(const Value& input, Bound a) {
  return Value::make_text(std::string(strip(to_text(input), a.optional_text(0), Side::kBoth)),
                          is_markup(input));
}

// Words begin behind white space and any of - ( { [ <.
Value title(const Value& input, Bound) {
  const std::string text = to_text(input);
  count_bytes(64 * text.size());
  std::string out;
  std::size_t begin = 0;
  const auto flush = [&](std::size_t end) {
    if (begin == end) return;
    const std::size_t first = utf8_length(text[begin]);
    out += to_upper(std::string_view(text).substr(begin, first));
    out += to_lower(std::string_view(text).substr(begin + first, end - begin - first));
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t character = at;
    const char32_t c = next_code_point(text, at);
    if (!is_python_space(c) && (c >= 0x80 || std::string_view("-({[<").find(static_cast<char>(c)) ==
                                                 std::string_view::npos)) {
      continue;
    }
    flush(character);
    out.append(text, character, at - character);
    begin = at;
  }
  flush(text.size());
  return out;
}

Value center(const Value& input, Bound a) {
  return Value::make_text(pad(to_text(input), a.integer(0, 80), " ", Side::kBoth),
                          is_markup(input));
}

Value replace_text(const Value& input, Bound a) {
  const std::int64_t limit = a.is_given(2) ? a.integer(2) : -1;
  return replace(to_text(input), to_text(a.at(0)), to_text(a.at(1)), limit);
}

Value join(const Value& input, Bound a) {
  const std::string separator = a.find(0) != nullptr ? to_text(*a.find(0)) : "";
  const AttributePath path(a.find(1));
  std::string out;
  bool first = true;
  Cursor cursor(input);
  while (const auto item = cursor.next()) {
    count_step();
    const std::string piece = to_text(path.read(*item));
    check_memory(out.size() + separator.size() + piece.size());
    if (!first) out += separator;
    first = false;
    out += piece;
  }
  return out;
}

std::string indentation(const Value* width) {
  if (width == nullptr) return "    ";
  if (width->text() != nullptr) return width->text()->bytes;
  const auto blanks = width->as_integer();
  if (!blanks) fail(fmt::format("indent: 'width' cannot be {}", width->type_name()));
  return repeat(" ", clamp_to_64_bits(*blanks));
}

Value indent(const Value& input, Bound a) {
  if (input.text() == nullptr)
    fail(fmt::format("indent wants a string, not {}", input.type_name()));
  std::string step = indentation(a.find(0));
  const bool safe_input = is_markup(input);
  const bool is_safe_width = a.find(0) != nullptr && is_markup(*a.find(0));
  if (safe_input && !is_safe_width && a.find(0) != nullptr && a.find(0)->text() != nullptr) {
    step = escape_html(step);
  }
  const bool first = a.flag(1, false), blank = a.flag(2, false);
  const auto lines = split_lines(input.text()->bytes + "\n", false);
  check_memory(lines.size() + 1, step.size());
  std::string out = first ? step : "";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    if (i > 0 && (blank || !lines[i].empty())) out += step;
    out += lines[i];
  }
  return Value::make_text(out, safe_input);
}

Value truncate(const Value& input, Bound a) {
  const std::int64_t length = a.integer(0, 255);
  const std::string end = a.find(2) != nullptr ? a.text(2) : "...";
  const std::int64_t leeway = a.is_given(3) ? a.integer(3) : 5;
  if (length < count_characters(end)) fail("truncate: the length is shorter than the end mark");
  if (leeway < 0) fail("truncate: the leeway is negative");
  const auto size = length_of(input);
  if (!size) fail(fmt::format("object of type '{}' has no len()", input.type_name()));
  if (*size <= length + leeway) return input;
  if (input.text() == nullptr) fail("truncate wants a string, not " + input.type_name());
  const std::string& text = input.text()->bytes;
  const std::string kept =
      take_characters(text, 0, 1, std::min(*size, length - count_characters(end)));
  if (a.flag(1, false)) return kept + end;
  return kept.substr(0, kept.rfind(' ')) + end;
}

Value word_count(const Value& input, Bound) {
  const std::string text = to_text(input);
  count_bytes(16 * text.size());
  std::int64_t words = 0;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    const bool is_word = c == '_' || is_alphanumeric(c);
    words += is_word && !in_word ? 1 : 0;
    in_word = is_word;
  }
  return words;
}

Value format(Runtime&, const Value& input, const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.keywords.empty()) {
    fail("can't handle positional and keyword arguments at the same time");
  }
  const Value text = as_text(input);
  if (arguments.keywords.empty()) {
    return printf_format(*text.text(), Value::tuple(arguments.positional));
  }
  auto named = std::make_shared<Dict>();
  for (const auto& [name, value] : arguments.keywords) named->set(Value(name), value);
  return printf_format(*text.text(), named);
}

std::optional<std::string> json_indent(const Value* indent) {
  if (indent == nullptr || indent->is_none()) return std::nullopt;
  if (indent->text() != nullptr) return indent->text()->bytes;
  const auto width = indent->as_integer();
  if (!width) fail(fmt::format("tojson: 'indent' cannot be {}", indent->type_name()));
  return repeat(" ", clamp_to_64_bits(*width));
}

Value to_json(const Value& input, Bound a) {
  JsonStyle style{.ensure_ascii = a.flag(0, false),
                  .sort_keys = a.flag(3, false),
                  .indent = json_indent(a.find(1))};
  if (style.indent) style.item_separator = ",";
  if (a.is_given(2)) {
    const std::vector<Value> separators = items_of(a.at(2));
    if (separators.size() != 2 || separators[0].text() == nullptr ||
        separators[1].text() == nullptr) {
      fail("tojson: 'separators' must be two strings");
    }
    style.item_separator = separators[0].text()->bytes;
    style.key_separator = separators[1].text()->bytes;
  }
  return dump_json(input, style);
}

const Filter kFilters[] = {
    {"capitalize", {}, change<capitalize>},
    {"center", {{"width"}, 0}, center},
    {"e", {}, escape},
    {"escape", {}, escape},
    {"forceescape", {}, force_escape},
    {"format", {}, nullptr, format},
    {"indent", {{"width", "first", "blank"}, 0}, indent},
    {"join", {{"d", "attribute"}, 0}, join},
    {"lower", {}, change<to_lower>},
    {"replace", {{"old", "new", "count"}, 2}, replace_text},
    {"safe", {}, safe},
    {"string", {}, string},
    {"title", {}, title},
    {"tojson", {{"ensure_ascii", "indent", "separators", "sort_keys"}, 0}, to_json},
    {"trim", {{"chars"}, 0}, trim},
    {"truncate", {{"length", "killwords", "end", "leeway"}, 0}, truncate},
    {"upper", {}, change<to_upper>},
    {"wordcount", {}, word_count},
};

}  // namespace

const Filter* find_text_filter(std::string_view name) { return find_in(kFilters, name); }

}  // namespace aurum::text::jinja

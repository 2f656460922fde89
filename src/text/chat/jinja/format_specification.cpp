// format(value, specification), the mini-language behind "{:>8.2f}".format(x).

#include <algorithm>

#include <fmt/format.h>

#include "text/chat/jinja/format_method.h"
#include "text/chat/jinja/number_format.h"
#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/python_text.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

constexpr std::int64_t kMostWidth = 1'000'000'000;

struct Specification {
  std::string fill = " ";
  char align = 0;  // < > ^ =, or 0 for the type's own
  bool zeros = false, has_sign = false;
  std::int64_t width = 0;
  NumberLayout layout;
};

class SpecificationParser {
 public:
  explicit SpecificationParser(std::string_view text) : rest_(text) {}

  Specification parse() {
    read_alignment();
    read_flags();
    result_.width = read_number().value_or(0);
    if (rest_.starts_with(',') || rest_.starts_with('_')) result_.layout.grouping = take();
    if (rest_.starts_with('.')) {
      take();
      result_.layout.precision = read_number();
      if (!result_.layout.precision) fail("Format specifier missing precision");
    }
    if (!rest_.empty()) result_.layout.type = take();
    if (!rest_.empty()) fail("Invalid format specifier");
    return std::move(result_);
  }

 private:
  static bool is_alignment(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

  char take() {
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  void read_alignment() {
    if (rest_.empty()) return;
    const std::size_t first = utf8_length(rest_[0]);
    if (rest_.size() > first && is_alignment(rest_[first])) {
      result_.fill = std::string(rest_.substr(0, first));
      result_.align = rest_[first];
      rest_.remove_prefix(first + 1);
    } else if (is_alignment(rest_[0])) {
      result_.align = take();
    }
  }

  void read_flags() {
    if (!rest_.empty() && std::string_view("+- ").find(rest_[0]) != std::string_view::npos) {
      result_.layout.sign = take();
      result_.has_sign = true;
    }
    if (rest_.starts_with('z')) take();
    if (rest_.starts_with('#')) {
      take();
      result_.layout.alternate = true;
    }
    if (rest_.starts_with('0')) {
      take();
      result_.zeros = result_.align == 0;
      if (result_.align != 0 && result_.fill == " ") result_.fill = "0";
    }
  }

  std::optional<std::int64_t> read_number() {
    if (rest_.empty() || rest_[0] < '0' || rest_[0] > '9') return std::nullopt;
    std::int64_t number = 0;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
      number = number * 10 + (take() - '0');
      if (number > kMostWidth) fail("Too many decimal digits in format string");
    }
    return number;
  }

  std::string_view rest_;
  Specification result_;
};

std::string align(const std::string& text, const Specification& s, char otherwise) {
  check_memory(static_cast<std::size_t>(s.width), s.fill.size());
  const std::int64_t room = s.width - count_characters(text);
  if (room <= 0) return text;
  const char how = s.align == 0 ? otherwise : s.align;
  const std::int64_t left = how == '<' ? 0 : how == '>' ? room : room / 2;
  return repeat(s.fill, left) + text + repeat(s.fill, room - left);
}

std::string format_text(const std::string& text, const Specification& s) {
  if (s.layout.type != 0 && s.layout.type != 's') {
    fail(fmt::format("Unknown format code '{}' for object of type 'str'", s.layout.type));
  }
  if (s.has_sign || s.layout.alternate || s.layout.grouping != 0 || s.align == '=') {
    fail("this format specifier is not for strings");
  }
  std::string shown = text;
  if (s.layout.precision) {
    shown = take_characters(text, 0, 1, std::min(count_characters(text), *s.layout.precision));
  }
  Specification padded = s;
  if (s.zeros) padded.fill = "0";
  return align(shown, padded, '<');
}

std::string lay_out(const FormattedNumber& number, const Specification& s) {
  if (s.zeros || (s.align == '=' && s.fill == "0")) {
    check_memory(static_cast<std::size_t>(s.width));
    return pad_with_zeros(number, s.width, s.layout.grouping);
  }
  if (s.align == '=') {
    const auto used =
        static_cast<std::int64_t>(number.sign_and_prefix.size() + number.digits.size());
    return number.sign_and_prefix + repeat(s.fill, s.width - used) + number.digits;
  }
  return align(number.sign_and_prefix + number.digits, s, '>');
}

std::string format_number(const Value& value, const Specification& s) {
  const bool as_float = value.is_float() ||
                        (s.layout.type != 0 &&
                         std::string_view("eEfFgG%").find(s.layout.type) != std::string_view::npos);
  if (as_float) {
    if (s.layout.type != 0 &&
        std::string_view("eEfFgGn%").find(s.layout.type) == std::string_view::npos) {
      fail(fmt::format("Unknown format code '{}' for object of type 'float'", s.layout.type));
    }
    return lay_out(format_float(*value.as_float(), s.layout), s);
  }
  if (s.layout.type == 'c') fail("the format code 'c' is not supported");
  if (s.layout.type != 0 &&
      std::string_view("bdoxXn").find(s.layout.type) == std::string_view::npos) {
    fail(fmt::format("Unknown format code '{}' for object of type 'int'", s.layout.type));
  }
  if (s.layout.precision) fail("Precision not allowed in integer format specifier");
  return lay_out(format_integer(*value.as_integer(), s.layout), s);
}

}  // namespace

std::string format_value(const Value& value, std::string_view specification) {
  if (specification.empty()) return to_text(value);
  const Specification s = SpecificationParser(specification).parse();
  if (value.text() != nullptr) return format_text(value.text()->bytes, s);
  // format(True, "s") is an error in Python, and format(True, "5") prints a number.
  if (value.is_number()) return format_number(value, s);
  fail(fmt::format("unsupported format string passed to {}.__format__", value.type_name()));
}

}  // namespace aurum::text::jinja

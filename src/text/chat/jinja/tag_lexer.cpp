#include "text/chat/jinja/tag_lexer.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <unicode/uchar.h>

#include "base/error.h"
#include "text/chat/jinja/python_text.h"
#include "text/chat/jinja/string_literal.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

using Kind = Token::Kind;

constexpr std::string_view kDigits = "0123456789";

bool starts_name(char32_t c) {
  return c == '_' || u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_XID_START);
}

bool continues_name(char32_t c) {
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_XID_CONTINUE);
}

bool is_digit_byte(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::size_t TagLexer::read(std::size_t position, int line) {
  line_ = line;
  const char c = source_[position];
  if (const std::size_t end = read_blanks(position); end != position) return end;
  if (is_digit_byte(c)) return read_number(position);
  std::size_t after = position;
  if (starts_name(next_code_point(source_, after))) return read_name(position);
  if (c == '\'' || c == '"') return read_string(position);
  return read_operator(position);
}

void TagLexer::fail_here(std::string_view what) const {
  throw FormatError(fmt::format("{}: line {}: {}", name_, line_, what));
}

std::size_t TagLexer::read_blanks(std::size_t position) const {
  while (position < source_.size()) {
    std::size_t next = position;
    if (!is_python_space(next_code_point(source_, next))) break;
    position = next;
  }
  return position;
}

std::size_t TagLexer::add(Kind kind, std::size_t begin, std::size_t end) {
  tokens_.push_back({kind, std::string(source_.substr(begin, end - begin)), line_});
  return end;
}

// The end of digits with single underscores between them; `position` when there are none.
std::size_t TagLexer::digits_end(std::size_t position, std::string_view digits) const {
  const auto is_digit_at = [&](std::size_t at) {
    return at < source_.size() && digits.find(source_[at]) != std::string_view::npos;
  };
  if (!is_digit_at(position)) return position;
  while (is_digit_at(position) ||
         (position < source_.size() && source_[position] == '_' && is_digit_at(position + 1))) {
    ++position;
  }
  return position;
}

// The end of 1.5, 1e5 or 1.5e5; `position` when the number there is no float.
std::size_t TagLexer::float_end(std::size_t position) const {
  if (position > 0 && source_[position - 1] == '.') return position;
  const std::size_t whole = digits_end(position, kDigits);
  std::size_t end = whole;
  if (end < source_.size() && source_[end] == '.') {
    const std::size_t fraction = digits_end(end + 1, kDigits);
    if (fraction != end + 1) end = fraction;
  }
  if (end < source_.size() && (source_[end] | 0x20) == 'e') {
    std::size_t exponent = end + 1;
    if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) {
      ++exponent;
    }
    const std::size_t exponent_end = digits_end(exponent, kDigits);
    if (exponent_end != exponent) return exponent_end;
  }
  return end == whole ? position : end;
}

std::size_t TagLexer::integer_end(std::size_t position) const {
  if (source_[position] != '0') return digits_end(position, kDigits);
  const char letter =
      position + 1 < source_.size() ? static_cast<char>(source_[position + 1] | 0x20) : '\0';
  const std::string_view digits = letter == 'x'   ? "0123456789abcdefABCDEF"
                                  : letter == 'o' ? "01234567"
                                  : letter == 'b' ? "01"
                                                  : "";
  std::size_t begin = position + 2;
  if (begin < source_.size() && source_[begin] == '_') ++begin;
  const std::size_t end = digits.empty() ? begin : digits_end(begin, digits);
  return end != begin ? end : digits_end(position, "0");
}

std::size_t TagLexer::read_number(std::size_t position) {
  if (const std::size_t end = float_end(position); end != position) {
    return add(Kind::kFloat, position, end);
  }
  return add(Kind::kInteger, position, integer_end(position));
}

std::size_t TagLexer::read_name(std::size_t position) {
  std::size_t end = position;
  while (end < source_.size()) {
    std::size_t next = end;
    if (!continues_name(next_code_point(source_, next))) break;
    end = next;
  }
  return add(Kind::kName, position, end);
}

std::size_t TagLexer::read_string(std::size_t position) {
  const char quote = source_[position];
  for (std::size_t at = position + 1; at < source_.size(); ++at) {
    if (source_[at] == '\\') {
      ++at;
    } else if (source_[at] == quote) {
      const std::string_view body = source_.substr(position + 1, at - position - 1);
      std::string error;
      auto text = unescape(body, error);
      if (!text) fail_here(error);
      tokens_.push_back({Kind::kString, std::move(*text), line_});
      return at + 1;
    }
  }
  fail_here("a string is not closed");
}

std::size_t TagLexer::read_operator(std::size_t position) {
  static constexpr std::array<std::string_view, 6> kPairs = {"//", "**", "==", "!=", ">=", "<="};
  const std::string_view pair = source_.substr(position, 2);
  if (std::find(kPairs.begin(), kPairs.end(), pair) != kPairs.end()) {
    return add(Kind::kOperator, position, position + 2);
  }
  const char c = source_[position];
  if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
    std::size_t end = position;
    next_code_point(source_, end);
    fail_here(fmt::format("unexpected char '{}'", source_.substr(position, end - position)));
  }
  balance(c);
  return add(Kind::kOperator, position, position + 1);
}

void TagLexer::balance(char bracket) {
  switch (bracket) {
    case '(':
      closing_ += ')';
      return;
    case '[':
      closing_ += ']';
      return;
    case '{':
      closing_ += '}';
      return;
    case ')':
    case ']':
    case '}':
      break;
    default:
      return;
  }
  if (closing_.empty()) fail_here(fmt::format("unexpected '{}'", bracket));
  if (closing_.back() != bracket) {
    fail_here(fmt::format("unexpected '{}', expected '{}'", bracket, closing_.back()));
  }
  closing_.pop_back();
}

}  // namespace aurum::text::jinja

#include "text/chat/jinja/string_literal.h"

#include <cstdint>

#include <fmt/format.h>

#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int lower = c | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

class Unescaper {
 public:
  explicit Unescaper(std::string_view body) : body_(body) {}

  std::optional<std::string> run(std::string& error) {
    while (at_ < body_.size()) {
      const char c = body_[at_++];
      if (c != '\\') {
        out_ += c;
      } else if (!read_escape()) {
        error = error_;
        return std::nullopt;
      }
    }
    return std::move(out_);
  }

 private:
  bool read_escape() {
    if (at_ == body_.size()) return fail_with("\\ at end of string");
    static constexpr std::string_view kLetters = "\\'\"abfnrtv", kMeanings = "\\'\"\a\b\f\n\r\t\v";
    const char c = body_[at_++];
    if (const std::size_t i = kLetters.find(c); i != std::string_view::npos) {
      out_ += kMeanings[i];
      return true;
    }
    if (c == '\n') return true;
    if (c == 'x') return read_hex(2);
    if (c == 'u') return read_hex(4);
    if (c == 'U') return read_hex(8);
    if (c == 'N') return fail_with("\\N{...} is not supported; write the character or \\uHHHH");
    if (c >= '0' && c <= '7') return read_octal(c);
    out_ += '\\';
    out_ += c;
    return true;
  }

  bool read_hex(int digits) {
    std::uint32_t code = 0;
    for (int i = 0; i < digits; ++i) {
      const int digit = at_ < body_.size() ? hex_value(body_[at_]) : -1;
      if (digit < 0) return fail_with("a truncated \\x, \\u or \\U escape");
      code = code * 16 + static_cast<std::uint32_t>(digit);
      ++at_;
    }
    return append(code);
  }

  bool read_octal(char first) {
    auto code = static_cast<std::uint32_t>(first - '0');
    for (int i = 0; i < 2 && at_ < body_.size() && body_[at_] >= '0' && body_[at_] <= '7'; ++i) {
      code = code * 8 + static_cast<std::uint32_t>(body_[at_++] - '0');
    }
    return append(code);
  }

  bool append(std::uint32_t code) {
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      return fail_with(fmt::format("the escape {:x} names no character", code));
    }
    append_code_point(code, out_);
    return true;
  }

  bool fail_with(std::string_view what) {
    error_ = what;
    return false;
  }

  std::string_view body_;
  std::size_t at_ = 0;
  std::string out_, error_;
};

}  // namespace

std::optional<std::string> unescape(std::string_view body, std::string& error) {
  return Unescaper(body).run(error);
}

}  // namespace aurum::text::jinja

// The outer level of the lexer: text, comments, raw blocks and where tags begin and end.

#include "text/chat/jinja/lexer.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/error.h"
#include "text/chat/jinja/python_text.h"
#include "text/chat/jinja/tag_lexer.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

using Kind = Token::Kind;

constexpr std::size_t kLongestSource = 500'000;  // the longest in use have 50 kB

// CRLF and CR become LF, and one newline at the end goes.
std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool is_blank(std::string_view text) { return strip(text, std::nullopt, Side::kLeft).empty(); }

class Lexer {
 public:
  Lexer(std::string_view source, std::string_view name) : source_(source), name_(name) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const std::size_t tag = find_tag(at_);
      if (tag == std::string_view::npos) {
        add_data(source_.substr(at_));
        at_ = source_.size();
      } else {
        read_tag(tag);
      }
    }
    tokens_.push_back({Kind::kEnd, "", line_});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail_here(std::string_view what) const {
    throw FormatError(fmt::format("{}: line {}: {}", name_, line_, what));
  }

  std::size_t find_tag(std::size_t from) const {
    for (std::size_t at = source_.find('{', from); at != std::string_view::npos;
         at = source_.find('{', at + 1)) {
      const char next = at + 1 < source_.size() ? source_[at + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') return at;
    }
    return std::string_view::npos;
  }

  void move_to(std::size_t position) {
    line_ +=
        static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                    source_.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
    at_ = position;
  }

  void add_data(std::string_view text) {
    if (!text.empty()) tokens_.push_back({Kind::kData, std::string(text), line_});
  }

  // The text in front of a tag, after what the tag's mark or lstrip_blocks removes from it.
  std::string_view trim_before_tag(std::string_view text, char mark, bool is_variable) const {
    if (mark == '-') return strip(text, std::nullopt, Side::kRight);
    if (mark == '+' || is_variable) return text;
    const std::size_t newline = text.rfind('\n');
    if (newline == std::string_view::npos && !at_line_start_) return text;
    const std::size_t line_begin = newline == std::string_view::npos ? 0 : newline + 1;
    return is_blank(text.substr(line_begin)) ? text.substr(0, line_begin) : text;
  }

  void read_tag(std::size_t tag) {
    const char kind = source_[tag + 1];
    std::size_t body = tag + 2;
    const char mark = body < source_.size() && (source_[body] == '-' || source_[body] == '+')
                          ? source_[body++]
                          : '\0';
    add_data(trim_before_tag(source_.substr(at_, tag - at_), mark, kind == '{'));
    move_to(body);
    if (kind == '#') {
      read_comment();
    } else if (kind == '%' && !read_raw()) {
      tokens_.push_back({Kind::kBlockBegin, "", line_});
      read_tokens('%', Kind::kBlockEnd);
    } else if (kind == '{') {
      tokens_.push_back({Kind::kVariableBegin, "", line_});
      read_tokens('}', Kind::kVariableEnd);
    }
    at_line_start_ = at_ > 0 && source_[at_ - 1] == '\n';
  }

  // Moves behind the closing mark at `close` and the white space that it takes along.
  void close_tag(std::size_t close, std::size_t length, bool strips, bool trims_newline) {
    std::size_t end = close + length;
    if (strips) {
      end = source_.size() - strip(source_.substr(end), std::nullopt, Side::kLeft).size();
    } else if (trims_newline && end < source_.size() && source_[end] == '\n') {
      ++end;
    }
    move_to(end);
  }

  void read_comment() {
    const std::size_t close = source_.find("#}", at_);
    if (close == std::string_view::npos) fail_here("Missing end of comment tag");
    const char mark = close > at_ ? source_[close - 1] : '\0';
    close_tag(close, 2, mark == '-', mark != '+');
  }

  // Matches white space, `word` and white space at `position`; moves it behind them.
  bool skip_word(std::size_t& position, std::string_view word) const {
    const auto skip_blanks = [&] {
      position = source_.size() - strip(source_.substr(position), std::nullopt, Side::kLeft).size();
    };
    skip_blanks();
    if (!source_.substr(position).starts_with(word)) return false;
    position += word.size();
    skip_blanks();
    return true;
  }

  // {% raw %} … {% endraw %}; false when the tag at hand is another one.
  bool read_raw() {
    std::size_t position = at_;
    if (!skip_word(position, "raw")) return false;
    const bool strips = source_.substr(position).starts_with("-%}");
    if (!strips && !source_.substr(position).starts_with("%}")) return false;
    close_tag(position, strips ? 3 : 2, strips, /*trims_newline=*/false);
    at_line_start_ = source_[at_ - 1] == '\n';
    for (std::size_t tag = source_.find("{%", at_); tag != std::string_view::npos;
         tag = source_.find("{%", tag + 1)) {
      if (close_raw(tag)) return true;
    }
    fail_here("Missing end of raw directive");
  }

  bool close_raw(std::size_t tag) {
    std::size_t position = tag + 2;
    char mark = '\0';
    if (position < source_.size() && (source_[position] == '-' || source_[position] == '+')) {
      mark = source_[position++];
    }
    if (!skip_word(position, "endraw")) return false;
    const std::string_view rest = source_.substr(position);
    const bool has_mark = rest.starts_with("-%}") || rest.starts_with("+%}");
    if (!has_mark && !rest.starts_with("%}")) return false;
    add_data(trim_before_tag(source_.substr(at_, tag - at_), mark, /*is_variable=*/false));
    close_tag(position, has_mark ? 3 : 2, rest[0] == '-', rest[0] != '+');
    return true;
  }

  // The tokens inside a tag that ends with `closing` and a brace.
  void read_tokens(char closing, Kind end_kind) {
    TagLexer tag(source_, name_, tokens_);
    while (at_ < source_.size()) {
      if (!tag.is_inside_brackets() && at_end_of_tag(closing)) {
        const char first = source_[at_];
        tokens_.push_back({end_kind, "", line_});
        const bool has_mark = first == '-' || first == '+';
        close_tag(at_, has_mark ? 3 : 2, first == '-', closing == '%' && first != '+');
        return;
      }
      move_to(tag.read(at_, line_));
    }
  }

  bool at_end_of_tag(char closing) const {
    const std::string_view rest = source_.substr(at_);
    const std::array<char, 3> marked = {'-', closing, '}'};
    const auto starts = [&](std::string_view end) { return rest.starts_with(end); };
    if (starts({marked.data() + 1, 2}) || starts({marked.data(), 3})) return true;
    return closing == '%' && starts("+%}");
  }

  std::string_view source_, name_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, std::string_view name) {
  if (source.size() > kLongestSource) {
    throw FormatError(fmt::format("{}: the template has {} bytes; at most {} are read", name,
                                  source.size(), kLongestSource));
  }
  if (!is_valid_utf8(source)) {
    throw FormatError(fmt::format("{}: the template is not valid UTF-8", name));
  }
  const std::string normalized = normalize_newlines(source);
  return Lexer(normalized, name).run();
}

}  // namespace aurum::text::jinja

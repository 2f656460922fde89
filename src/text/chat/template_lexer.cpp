#include "text/chat/template_lexer.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace aurum::text {

namespace {

[[noreturn]] void fail(std::string_view name, int line, std::string_view what) {
  throw FormatError(fmt::format("{}: line {}: {}", name, line, what));
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

void strip_right(std::string& text) {
  while (!text.empty() && is_blank(text.back())) text.pop_back();
}

// Drops the blanks between the line's start and the tag, if nothing else is there.
void strip_line_start(std::string& text, bool at_line_start_before) {
  std::size_t end = text.size();
  while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t')) --end;
  if (end == 0 ? at_line_start_before : text[end - 1] == '\n') text.resize(end);
}

std::string unix_newlines(std::string_view source) {
  std::string text;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
    } else if (i + 1 >= source.size() || source[i + 1] != '\n') {
      text += '\n';
    }
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// The end of a tag's content: its closing mark outside of strings.
std::size_t find_close(const std::string& text, std::size_t begin, const char* close) {
  char quote = 0;
  for (std::size_t i = begin; i + 1 < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == quote)
        quote = 0;
    } else if (close[0] != '#' && (text[i] == '\'' || text[i] == '"')) {
      quote = text[i];
    } else if (text[i] == close[0] && text[i + 1] == close[1]) {
      return i;
    }
  }
  return std::string::npos;
}

}  // namespace

std::vector<TemplatePart> split_template(std::string_view source, std::string_view name) {
  const std::string text = unix_newlines(source);
  std::vector<TemplatePart> parts;
  std::string literal;
  int line = 1, literal_line = 1;
  bool literal_at_line_start = true;
  std::size_t at = 0;
  while (at < text.size()) {
    const char kind = at + 1 < text.size() && text[at] == '{' ? text[at + 1] : '\0';
    if (kind != '{' && kind != '%' && kind != '#') {
      if (text[at] == '\n') ++line;
      literal += text[at++];
      continue;
    }
    const char close[3] = {kind == '{' ? '}' : kind, '}', 0};
    const std::size_t end = find_close(text, at + 2, close);
    if (end == std::string::npos) fail(name, line, "this tag is not closed");
    std::size_t begin = at + 2, stop = end;
    char left = 0, right = 0;
    if (begin < stop && (text[begin] == '-' || text[begin] == '+')) left = text[begin++];
    if (stop > begin && (text[stop - 1] == '-' || text[stop - 1] == '+')) right = text[--stop];
    if (left == '-')
      strip_right(literal);
    else if (left != '+' && kind != '{')
      strip_line_start(literal, literal_at_line_start);
    if (!literal.empty()) parts.push_back({TemplatePart::Kind::kText, literal, literal_line});
    literal.clear();
    if (kind != '#') {
      const auto part_kind =
          kind == '{' ? TemplatePart::Kind::kOutput : TemplatePart::Kind::kStatement;
      parts.push_back({part_kind, text.substr(begin, stop - begin), line});
    }
    line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                        text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at = end + 2;
    literal_at_line_start = false;
    if (right == '-') {
      while (at < text.size() && is_blank(text[at])) line += text[at++] == '\n' ? 1 : 0;
    } else if (right != '+' && kind != '{' && at < text.size() && text[at] == '\n') {
      ++line;
      ++at;
      literal_at_line_start = true;
    }
    literal_line = line;
  }
  if (!literal.empty()) parts.push_back({TemplatePart::Kind::kText, literal, literal_line});
  return parts;
}

namespace {

class ExpressionLexer {
 public:
  ExpressionLexer(const TemplatePart& part, std::string_view name) : part_(part), name_(name) {}

  std::vector<TemplateToken> run() {
    const std::string& s = part_.source;
    while (at_ < s.size()) {
      const auto c = static_cast<unsigned char>(s[at_]);
      if (is_blank(s[at_]))
        ++at_;
      else if (std::isalpha(c) || c == '_')
        take_name();
      else if (std::isdigit(c))
        take_number();
      else if (c == '\'' || c == '"')
        take_string();
      else
        take_operator();
    }
    tokens_.push_back({TemplateToken::Kind::kEnd, ""});
    return std::move(tokens_);
  }

 private:
  void take_name() {
    const std::size_t begin = at_;
    while (
        at_ < part_.source.size() &&
        (std::isalnum(static_cast<unsigned char>(part_.source[at_])) || part_.source[at_] == '_')) {
      ++at_;
    }
    tokens_.push_back({TemplateToken::Kind::kName, part_.source.substr(begin, at_ - begin)});
  }

  void take_number() {
    const std::string& s = part_.source;
    std::string digits;
    bool is_float = false;
    while (at_ < s.size() && (std::isdigit(static_cast<unsigned char>(s[at_])) || s[at_] == '_' ||
                              (s[at_] == '.' && at_ + 1 < s.size() &&
                               std::isdigit(static_cast<unsigned char>(s[at_ + 1]))))) {
      if (s[at_] == '.') is_float = true;
      if (s[at_] != '_') digits += s[at_];
      ++at_;
    }
    tokens_.push_back(
        {is_float ? TemplateToken::Kind::kFloat : TemplateToken::Kind::kInteger, digits});
  }

  void take_string() {
    const std::string& s = part_.source;
    const char quote = s[at_++];
    std::string value;
    while (at_ < s.size() && s[at_] != quote) {
      if (s[at_] == '\\' && at_ + 1 < s.size()) {
        take_escape(value);
      } else {
        value += s[at_++];
      }
    }
    if (at_ >= s.size()) fail(name_, part_.line, "this string is not closed");
    ++at_;
    if (!tokens_.empty() && tokens_.back().kind == TemplateToken::Kind::kString) {
      tokens_.back().text += value;
    } else {
      tokens_.push_back({TemplateToken::Kind::kString, value});
    }
  }

  void take_escape(std::string& value) {
    const char c = part_.source[at_ + 1];
    at_ += 2;
    switch (c) {
      case 'n':
        value += '\n';
        break;
      case 't':
        value += '\t';
        break;
      case 'r':
        value += '\r';
        break;
      case '\\':
      case '\'':
      case '"':
        value += c;
        break;
      case '\n':
        break;
      case 'x':
      case 'u':
        fail(name_, part_.line, "numeric escapes in strings are not supported yet");
      default:
        value += '\\';
        value += c;
    }
  }

  void take_operator() {
    const std::string two = part_.source.substr(at_, 2);
    for (const char* known : {"==", "!=", "<=", ">=", "//", "**"}) {
      if (two != known) continue;
      tokens_.push_back({TemplateToken::Kind::kOperator, two});
      at_ += 2;
      return;
    }
    if (std::string_view("+-*/%~<>()[]{}.,:|=").find(part_.source[at_]) == std::string_view::npos) {
      fail(name_, part_.line, fmt::format("unexpected \"{}\"", part_.source[at_]));
    }
    tokens_.push_back({TemplateToken::Kind::kOperator, std::string(1, part_.source[at_++])});
  }

  const TemplatePart& part_;
  std::string_view name_;
  std::size_t at_ = 0;
  std::vector<TemplateToken> tokens_;
};

}  // namespace

std::vector<TemplateToken> tokenize_expression(const TemplatePart& part, std::string_view name) {
  return ExpressionLexer(part, name).run();
}

}  // namespace aurum::text

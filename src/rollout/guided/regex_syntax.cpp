#include "rollout/guided/regex_syntax.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/error.h"
#include "text/unicode/utf8.h"

namespace aurum::rollout {

namespace {

constexpr std::size_t kMostBytes = 10'000;
constexpr int kMostNesting = 200;
constexpr std::int64_t kMostRepetitions = 1000;

std::optional<char32_t> control_of(char letter) {
  constexpr std::string_view kLetters = "tnrfva0", kValues("\t\n\r\f\v\a\0", 7);
  const std::size_t at = kLetters.find(letter);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned char>(kValues[at]);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

RegexNode set_node(CodePointSet set) {
  return {.kind = RegexNode::Kind::kSet, .set = std::move(set)};
}

class RegexParser {
 public:
  explicit RegexParser(std::string_view pattern) : pattern_(pattern) {
    if (pattern.size() > kMostBytes) {
      throw InputError(
          fmt::format("has {} bytes, more than the limit of {}", pattern.size(), kMostBytes));
    }
    if (!text::is_valid_utf8(pattern)) throw InputError("is not valid UTF-8");
  }

  RegexNode parse() {
    RegexNode node = parse_choice();
    if (!at_end()) fail("this ) closes nothing");
    return node;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("at {}: {}", position_, what));
  }
  bool at_end() const { return position_ == pattern_.size(); }
  char peek() const { return at_end() ? '\0' : pattern_[position_]; }
  bool take(std::string_view text) {
    if (!pattern_.substr(position_).starts_with(text)) return false;
    position_ += text.size();
    return true;
  }

  RegexNode parse_choice() {
    if (++depth_ > kMostNesting) fail(fmt::format("more than {} nested groups", kMostNesting));
    RegexNode choice{.kind = RegexNode::Kind::kChoice};
    do {
      choice.children.push_back(parse_sequence());
    } while (take("|"));
    --depth_;
    if (choice.children.size() == 1) return std::move(choice.children.front());
    return choice;
  }

  RegexNode parse_sequence() {
    RegexNode sequence;
    while (!at_end() && peek() != '|' && peek() != ')') {
      sequence.children.push_back(parse_repeated());
    }
    return sequence;
  }

  RegexNode parse_repeated() {
    RegexNode node = parse_item();
    const std::size_t begin = position_;
    const auto times = parse_quantifier();
    if (!times) return node;
    if (peek() == '+') fail("possessive quantifiers are not supported");
    take("?");  // lazy: the same texts
    const std::size_t after = position_;
    if (parse_quantifier()) {
      position_ = after;
      fail("a quantifier follows a quantifier");
    }
    position_ = after;
    if (times->first > kMostRepetitions || times->second > kMostRepetitions) {
      position_ = begin;
      fail(fmt::format("more than {} repetitions", kMostRepetitions));
    }
    RegexNode repeat{.kind = RegexNode::Kind::kRepeat, .min = times->first, .max = times->second};
    repeat.children.push_back(std::move(node));
    return repeat;
  }

  // (least, most) of * + ? {m} {m,} {,n} {m,n}; nothing is taken where none stands.
  std::optional<std::pair<std::int64_t, std::int64_t>> parse_quantifier() {
    if (take("*")) return std::pair{std::int64_t{0}, kUnlimited};
    if (take("+")) return std::pair{std::int64_t{1}, kUnlimited};
    if (take("?")) return std::pair<std::int64_t, std::int64_t>{0, 1};
    const std::size_t begin = position_;
    if (!take("{")) return std::nullopt;
    const auto least = parse_number();
    const bool has_comma = take(",");
    const auto most = has_comma ? parse_number() : least;
    if (!take("}") || (!least && !most)) {
      position_ = begin;  // a literal brace
      return std::nullopt;
    }
    const std::int64_t min = least.value_or(0), max = most.value_or(kUnlimited);
    if (max != kUnlimited && max < min)
      fail(fmt::format("{{{},{}}} ends below its begin", min, max));
    return std::pair{min, max};
  }

  std::optional<std::int64_t> parse_number() {
    std::optional<std::int64_t> number;
    while (is_digit(peek())) {
      number =
          std::min<std::int64_t>(number.value_or(0) * 10 + (peek() - '0'), kMostRepetitions + 1);
      ++position_;
    }
    return number;
  }

  RegexNode parse_item() {
    if (take("(")) return parse_group();
    if (take("[")) return set_node(parse_set());
    if (take(".")) return set_node(complement({{'\n', '\n'}}));
    if (take("^")) return {.kind = RegexNode::Kind::kTextBegin};
    if (take("$")) return {.kind = RegexNode::Kind::kTextEnd};
    if (peek() == '*' || peek() == '+' || peek() == '?') fail("there is nothing to repeat");
    if (take("\\")) return parse_escape_item();
    return set_node(single(text::next_code_point(pattern_, position_)));
  }

  RegexNode parse_group() {
    const std::size_t begin = position_ - 1;
    if (take("?")) skip_group_name();
    RegexNode node = parse_choice();
    if (!take(")")) {
      position_ = begin;
      fail("this ( is not closed");
    }
    return node;
  }

  // Behind "(?": only groups that change nothing are accepted.
  void skip_group_name() {
    if (take(":")) return;
    const std::string_view rest = pattern_.substr(position_);
    const bool is_lookbehind = rest.starts_with("<=") || rest.starts_with("<!");
    const bool is_named = take("P<") || (!is_lookbehind && take("<"));
    const std::size_t end = pattern_.find('>', position_);
    if (!is_named || end == std::string_view::npos) {
      fail("lookaround, flags and conditions are not supported");
    }
    const std::string_view name = pattern_.substr(position_, end - position_);
    const bool is_name = !name.empty() && !is_digit(name.front()) &&
                         std::all_of(name.begin(), name.end(),
                                     [](char c) { return is_alphanumeric(c) || c == '_'; });
    if (!is_name) fail("a group's name has letters, digits and _ only");
    position_ = end + 1;
  }

  RegexNode parse_escape_item() {
    if (take("A")) return {.kind = RegexNode::Kind::kTextBegin};
    if (take("z") || take("Z")) return {.kind = RegexNode::Kind::kTextEnd};
    if (auto set = class_of(peek())) {
      ++position_;
      return set_node(std::move(*set));
    }
    return set_node(single(parse_escaped_character()));
  }

  // Behind a backslash.
  char32_t parse_escaped_character() {
    if (at_end()) fail("a backslash stands at the end");
    if (take("x{")) return parse_hex_in_braces();
    if (take("x")) return parse_hex(2);
    if (take("u")) return parse_hex(4);
    if (take("U")) return parse_hex(8);
    if (const auto control = control_of(peek())) {
      ++position_;
      if (*control == 0 && is_digit(peek())) fail("octal escapes are not supported: write \\x");
      return *control;
    }
    if (is_alphanumeric(peek())) {
      fail(fmt::format("\\{} is not supported", peek()));
    }
    return text::next_code_point(pattern_, position_);
  }

  char32_t parse_hex_in_braces() {
    const std::size_t end = pattern_.find('}', position_);
    if (end == std::string_view::npos || end == position_ || end - position_ > 8) {
      fail("\\x{ needs up to 8 hexadecimal digits and }");
    }
    const char32_t value = parse_hex(end - position_);
    ++position_;
    return value;
  }

  char32_t parse_hex(std::size_t num_digits) {
    char32_t value = 0;
    for (std::size_t i = 0; i < num_digits; ++i, ++position_) {
      constexpr std::string_view kDigitsOfHex = "0123456789abcdef";
      const char lower = static_cast<char>(peek() >= 'A' && peek() <= 'F' ? peek() + 32 : peek());
      const std::size_t digit = at_end() ? std::string_view::npos : kDigitsOfHex.find(lower);
      if (digit == std::string_view::npos) {
        fail(fmt::format("{} hexadecimal digits are needed", num_digits));
      }
      value = value * 16 + static_cast<char32_t>(digit);
    }
    if (value > kLastCodePoint) fail("there is no such character");
    return value;
  }

  static CodePointSet single(char32_t c) { return set_of({{c, c}}); }

  // Behind "[".
  CodePointSet parse_set() {
    const std::size_t begin = position_ - 1;
    const bool is_negated = take("^");
    CodePointSet set;
    for (bool is_first = true; is_first || peek() != ']'; is_first = false) {
      if (at_end()) {
        position_ = begin;
        fail("this [ is not closed");
      }
      if (pattern_.substr(position_).starts_with("[:")) fail("[:names:] are not supported");
      add_set_item(set);
    }
    ++position_;
    return is_negated ? complement(std::move(set)) : set_of(std::move(set));
  }

  void add_set_item(CodePointSet& set) {
    if (peek() == '\\' && position_ + 1 < pattern_.size()) {
      if (const auto known = class_of(pattern_[position_ + 1])) {
        position_ += 2;
        set.insert(set.end(), known->begin(), known->end());
        return;
      }
    }
    const char32_t low = parse_set_character();
    const bool is_range =
        peek() == '-' && position_ + 1 < pattern_.size() && pattern_[position_ + 1] != ']';
    if (!is_range) {
      set.emplace_back(low, low);
      return;
    }
    ++position_;
    const char32_t high = parse_set_character();
    if (high < low) fail("a range ends below its begin");
    set.emplace_back(low, high);
  }

  char32_t parse_set_character() {
    if (!take("\\")) return text::next_code_point(pattern_, position_);
    if (take("b")) return '\b';
    return parse_escaped_character();
  }

  std::string_view pattern_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

}  // namespace

RegexNode parse_regex(std::string_view pattern) { return RegexParser(pattern).parse(); }

}  // namespace aurum::rollout

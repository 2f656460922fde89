#include "text/tokenizer/known_patterns.h"

#include <string>
#include <utility>

#include "text/unicode/char_classes.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

constexpr unsigned kLetterOrNumber = kLetter | kNumber;
constexpr unsigned kLetterOrMark = kLetter | kMark;
constexpr unsigned kPunctuationOrSymbol = kPunctuation | kSymbol;

// A place in the text with the classes of the character there.
class Cursor {
 public:
  Cursor(std::string_view text, std::size_t at) : text_(text), at_(at), next_(at) { read(); }

  std::size_t at() const { return at_; }
  bool done() const { return at_ >= text_.size(); }
  bool has(unsigned classes) const { return !done() && (classes_ & classes) != 0; }
  // A character that has none of `classes`.
  bool lacks(unsigned classes) const { return !done() && (classes_ & classes) == 0; }
  bool is(char ascii) const { return !done() && text_[at_] == ascii; }
  bool is_line_break() const { return is('\r') || is('\n'); }
  char32_t code_point() const { return c_; }
  void advance() {
    at_ = next_;
    read();
  }
  void skip_while(unsigned classes) {
    while (has(classes)) advance();
  }

 private:
  void read() {
    classes_ = 0;
    c_ = 0;
    if (done()) return;
    c_ = next_code_point(text_, next_);
    classes_ = table_[c_];
  }

  const std::uint8_t* table_ = char_class_table();
  std::string_view text_;
  std::size_t at_, next_;
  char32_t c_ = 0;
  std::uint8_t classes_ = 0;
};

char32_t ascii_lower(char32_t c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

// 's|'t|'re|'ve|'m|'ll|'d. Without case, the long s (U+017F) is an s too.
std::size_t match_contraction(std::string_view text, std::size_t begin, bool any_case) {
  Cursor cursor(text, begin);
  if (!cursor.is('\'')) return begin;
  cursor.advance();
  if (cursor.done()) return begin;
  const auto read = [&] {
    const char32_t c = cursor.code_point();
    if (!any_case) return c;
    return c == 0x17F ? U's' : ascii_lower(c);
  };
  const char32_t first = read();
  cursor.advance();
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return cursor.at();
  const char32_t second = first == 'r' || first == 'v' ? U'e' : U'l';
  if ((first == 'r' || first == 'v' || first == 'l') && !cursor.done() && read() == second) {
    cursor.advance();
    return cursor.at();
  }
  return begin;
}

// [^\r\n\p{L}\p{N}]?X+ with X the classes in `word`.
std::size_t match_word(std::string_view text, std::size_t begin, unsigned word) {
  Cursor cursor(text, begin);
  if (cursor.lacks(kLetterOrNumber | word) && !cursor.is_line_break()) cursor.advance();
  const std::size_t first = cursor.at();
  cursor.skip_while(word);
  return cursor.at() > first ? cursor.at() : begin;
}

// \p{N}{1,most}
std::size_t match_number(std::string_view text, std::size_t begin, int most) {
  Cursor cursor(text, begin);
  for (int i = 0; i < most && cursor.has(kNumber); ++i) cursor.advance();
  return cursor.at();
}

// " ?[^\s...]+" and then line breaks, with `tail` as one more character among them (0: none).
std::size_t match_symbols(std::string_view text, std::size_t begin, unsigned others, char tail) {
  Cursor cursor(text, begin);
  if (cursor.is(' ')) cursor.advance();
  const std::size_t first = cursor.at();
  while (cursor.lacks(others | kWhiteSpace)) cursor.advance();
  if (cursor.at() == first) return begin;
  while (cursor.is_line_break() || (tail != 0 && cursor.is(tail))) cursor.advance();
  return cursor.at();
}

// \s*[\r\n]+|\s+(?!\S)|\s+, the first of them only if `breaks`.
std::size_t match_blanks(std::string_view text, std::size_t begin, bool breaks) {
  Cursor cursor(text, begin);
  std::size_t after_break = begin, last = begin;
  while (cursor.has(kWhiteSpace)) {
    last = cursor.at();
    const bool is_break = cursor.is_line_break();
    cursor.advance();
    if (is_break) after_break = cursor.at();
  }
  if (breaks && after_break > begin) return after_break;
  // The last blank before a word is left to the word.
  return cursor.done() || last == begin ? cursor.at() : last;
}

std::size_t match_gpt2(std::string_view text, std::size_t begin) {
  if (const auto end = match_contraction(text, begin, false); end > begin) return end;
  Cursor cursor(text, begin);
  if (cursor.is(' ')) cursor.advance();
  const std::size_t first = cursor.at();
  if (cursor.has(kLetter)) {
    cursor.skip_while(kLetter);
  } else if (cursor.has(kNumber)) {
    cursor.skip_while(kNumber);
  } else {
    while (cursor.lacks(kWhiteSpace | kLetterOrNumber)) cursor.advance();
  }
  return cursor.at() > first ? cursor.at() : match_blanks(text, begin, false);
}

template <unsigned word, int digits>
std::size_t match_llama3(std::string_view text, std::size_t begin) {
  if (const auto end = match_contraction(text, begin, true); end > begin) return end;
  if (const auto end = match_word(text, begin, word); end > begin) return end;
  if (const auto end = match_number(text, begin, digits); end > begin) return end;
  if (const auto end = match_symbols(text, begin, word | kNumber, 0); end > begin) return end;
  return match_blanks(text, begin, true);
}

// [\p{Lu}...]*[\p{Ll}...]+ (`needs_end`) or [\p{Lu}...]+[\p{Ll}...]*. Marks and caseless letters
// are in both sets, so the first may have to give back what it took.
std::size_t match_cased_word(std::string_view text, std::size_t begin, bool needs_end) {
  Cursor cursor(text, begin);
  std::size_t after_common = begin;  // behind the last character that is in both sets
  while (cursor.has(kWordStart)) {
    const bool common = cursor.has(kWordEnd);
    cursor.advance();
    if (common) after_common = cursor.at();
  }
  const std::size_t start_end = cursor.at();
  cursor.skip_while(kWordEnd);
  if (needs_end) return cursor.at() > start_end ? cursor.at() : after_common;
  return start_end > begin ? cursor.at() : begin;
}

template <bool contractions>
std::size_t match_cased(std::string_view text, std::size_t begin) {
  Cursor cursor(text, begin);
  std::size_t after_prefix = begin;
  if (cursor.lacks(kLetterOrNumber) && !cursor.is_line_break()) {
    cursor.advance();
    after_prefix = cursor.at();
  }
  for (const bool needs_end : {true, false}) {
    std::size_t first = after_prefix;
    std::size_t end = match_cased_word(text, first, needs_end);
    if (end == first && first > begin) {  // the prefix may be a mark, and a word by itself
      first = begin;
      end = match_cased_word(text, first, needs_end);
    }
    if (end > first) return contractions ? match_contraction(text, end, true) : end;
  }
  return begin;
}

template <bool contractions, int digits>
std::size_t match_gpt4o(std::string_view text, std::size_t begin) {
  if (const auto end = match_cased<contractions>(text, begin); end > begin) return end;
  if (const auto end = match_number(text, begin, digits); end > begin) return end;
  if (const auto end = match_symbols(text, begin, kLetterOrNumber, '/'); end > begin) return end;
  return match_blanks(text, begin, true);
}

std::size_t match_deepseek_numbers(std::string_view text, std::size_t begin) {
  return match_number(text, begin, 3);
}

std::size_t match_deepseek_cjk(std::string_view text, std::size_t begin) {
  Cursor cursor(text, begin);
  const auto is_cjk = [](char32_t c) {
    return (c >= U'一' && c <= U'龥') || (c >= 0x3040 && c <= 0x30FF);
  };
  while (!cursor.done() && is_cjk(cursor.code_point())) cursor.advance();
  return cursor.at();
}

bool is_ascii_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

std::size_t match_deepseek_words(std::string_view text, std::size_t begin) {
  Cursor cursor(text, begin);
  if (cursor.code_point() < 0x80 && cursor.has(kPunctuationOrSymbol)) {
    std::size_t end = begin + 1;
    while (end < text.size() && is_ascii_letter(text[end])) ++end;
    if (end > begin + 1) return end;
  }
  // [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+; a number may be the prefix.
  if (cursor.lacks(kLetterOrMark | kPunctuationOrSymbol) && !cursor.is_line_break()) {
    cursor.advance();
  }
  const std::size_t first = cursor.at();
  cursor.skip_while(kLetterOrMark);
  if (cursor.at() > first) return cursor.at();

  cursor = Cursor(text, begin);
  if (cursor.is(' ')) cursor.advance();
  if (cursor.has(kPunctuationOrSymbol)) {
    cursor.skip_while(kPunctuationOrSymbol);
    while (cursor.is_line_break()) cursor.advance();
    return cursor.at();
  }
  return match_blanks(text, begin, true);
}

std::string with_escaped_breaks(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) {
    if (c == '\r' || c == '\n') {
      out += c == '\r' ? "\\r" : "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

KnownMatcher find_known_matcher(std::string_view pattern) {
  static constexpr std::pair<std::string_view, KnownMatcher> kMatchers[] = {
      {kGpt2Pattern, match_gpt2},
      {kLlama3Pattern, match_llama3<kLetter, 3>},
      {kQwen2Pattern, match_llama3<kLetter, 1>},
      {kQwen35Pattern, match_llama3<kLetterOrMark, 1>},
      {kGpt4oPattern, match_gpt4o<true, 3>},
      {kTekkenPattern, match_gpt4o<false, 1>},
      {kDeepseekNumbers, match_deepseek_numbers},
      {kDeepseekCjk, match_deepseek_cjk},
      {kDeepseekWords, match_deepseek_words},
  };
  const std::string spelled = with_escaped_breaks(pattern);
  for (const auto& [known, matcher] : kMatchers) {
    if (spelled == known) return matcher;
  }
  return nullptr;
}

}  // namespace aurum::text

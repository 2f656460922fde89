#include "text/tokenizer/char_normalizers.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "text/unicode/char_classes.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

// Appends what becomes of a character and returns true, or returns false to keep it.
using Change = bool (*)(char32_t c, std::string& out);

class CharNormalizer : public Normalizer {
 public:
  explicit CharNormalizer(Change change) : change_(change) {}
  MappedText apply(MappedText source) const override {
    const std::string_view text = source.text();
    MappedTextBuilder builder(source);
    std::string replacement;
    for (std::size_t p = 0; p < text.size();) {
      replacement.clear();
      if (change_(next_code_point(text, p), replacement)) {
        builder.replace_until(p, replacement);
      } else {
        builder.keep_until(p);
      }
    }
    return builder.finish();
  }

 private:
  Change change_;
};

// Full mapping without the rule for a final sigma.
bool lowercase(char32_t c, std::string& out) {
  if (c == 0x130) {  // the only character whose lower case is two
    out = "i\xCC\x87";
    return true;
  }
  const char32_t lower = to_lower(c);
  if (lower == c) return false;
  append_code_point(lower, out);
  return true;
}

bool strip_accents(char32_t c, std::string&) { return is_mark(c); }
bool bert_strip_accents(char32_t c, std::string&) { return is_nonspacing_mark(c); }

bool nmt(char32_t c, std::string& out) {
  const auto in = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
  if (in(0x1, 0x8) || c == 0xB || in(0xE, 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F) return true;
  if (in(0x9, 0xD) || c == 0x1680 || in(0x200B, 0x200F) || in(0x2028, 0x2029) || c == 0x2581 ||
      c == 0xFEFF || c == 0xFFFD) {
    out = " ";
    return true;
  }
  return false;
}

bool bert_clean_text(char32_t c, std::string& out) {
  const bool is_blank_control = c == '\t' || c == '\n' || c == '\r';
  if (c == 0 || c == 0xFFFD || (is_control(c) && !is_blank_control)) return true;
  if (is_blank_control || is_white_space(c)) {
    out = " ";
    return true;
  }
  return false;
}

bool bert_chinese_chars(char32_t c, std::string& out) {
  static constexpr std::array<std::pair<char32_t, char32_t>, 8> kIdeographs = {
      {{0x4E00, 0x9FFF},
       {0x3400, 0x4DBF},
       {0x20000, 0x2A6DF},
       {0x2A700, 0x2B73F},
       {0x2B740, 0x2B81F},
       {0x2B920, 0x2CEAF},
       {0xF900, 0xFAFF},
       {0x2F800, 0x2FA1F}}};
  for (const auto& [first, last] : kIdeographs) {
    if (c < first || c > last) continue;
    out = " ";
    append_code_point(c, out);
    out += ' ';
    return true;
  }
  return false;
}

}  // namespace

std::unique_ptr<Normalizer> make_char_normalizer(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, Change>, 6> kChanges = {
      {{"Lowercase", lowercase},
       {"StripAccents", strip_accents},
       {"Nmt", nmt},
       {"BertCleanText", bert_clean_text},
       {"BertChineseChars", bert_chinese_chars},
       {"BertStripAccents", bert_strip_accents}}};
  for (const auto& [known, change] : kChanges) {
    if (known == name) return std::make_unique<CharNormalizer>(change);
  }
  throw InternalError(fmt::format("there is no character normalizer {}", name));
}

}  // namespace aurum::text

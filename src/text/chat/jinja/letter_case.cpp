// The parts of python_text.h that need Unicode's tables.

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "text/chat/jinja/budget.h"
#include "text/chat/jinja/python_text.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

UChar32 wide(char32_t c) { return static_cast<UChar32>(c); }

bool is_lower_character(char32_t c) { return u_hasBinaryProperty(wide(c), UCHAR_LOWERCASE); }
bool is_upper_character(char32_t c) { return u_hasBinaryProperty(wide(c), UCHAR_UPPERCASE); }
bool is_title_character(char32_t c) { return u_charType(wide(c)) == U_TITLECASE_LETTER; }
bool is_cased(char32_t c) {
  return is_lower_character(c) || is_upper_character(c) || is_title_character(c);
}

template <typename Map>
std::string map_case(std::string_view text, const Map& map) {
  check_memory(text.size(), 4);
  count_bytes(16 * text.size());
  icu::UnicodeString characters =
      icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
  map(characters);
  std::string out;
  return characters.toUTF8String(out);
}

std::string title_character(char32_t c) {
  std::string character;
  append_code_point(c, character);
  return map_case(character, [](icu::UnicodeString& text) {
    text.toTitle(nullptr, icu::Locale::getRoot(), U_TITLECASE_NO_LOWERCASE);
  });
}

std::size_t first_character(std::string_view text) {
  return text.empty() ? 0 : utf8_length(text[0]);
}

}  // namespace

std::string to_lower(std::string_view text) {
  return map_case(text, [](icu::UnicodeString& t) { t.toLower(icu::Locale::getRoot()); });
}

std::string to_upper(std::string_view text) {
  return map_case(text, [](icu::UnicodeString& t) { t.toUpper(icu::Locale::getRoot()); });
}

std::string fold_case(std::string_view text) {
  return map_case(text, [](icu::UnicodeString& t) { t.foldCase(); });
}

// Every cased character behind an uncased one becomes a title letter, the others lower case.
std::string to_title(std::string_view text) {
  count_bytes(64 * text.size());
  const std::string lower = to_lower(text);
  if (count_characters(lower) != count_characters(text)) fail("title() of this text");
  std::string out;
  bool after_cased = false;
  std::size_t from_lower = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    const char32_t low = next_code_point(lower, from_lower);
    if (after_cased) {
      append_code_point(low, out);
    } else {
      out += title_character(c);
    }
    after_cased = is_cased(c);
  }
  return out;
}

std::string capitalize(std::string_view text) {
  const std::size_t first = first_character(text);
  if (first == 0) return "";
  std::size_t at = 0;
  // Lowered as a whole, since whether a sigma is final depends on what stands before it.
  const std::string lower = to_lower(text);
  return title_character(next_code_point(text, at)) + lower.substr(first_character(lower));
}

std::string swap_case(std::string_view text) {
  count_bytes(64 * text.size());
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_code_point(text, at);
    const std::string_view character = text.substr(begin, at - begin);
    out += is_upper_character(c)   ? to_lower(character)
           : is_lower_character(c) ? to_upper(character)
                                   : std::string(character);
  }
  return out;
}

bool is_lower(std::string_view text) {
  count_bytes(8 * text.size());
  bool cased = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (is_upper_character(c) || is_title_character(c)) return false;
    cased = cased || is_lower_character(c);
  }
  return cased;
}

bool is_upper(std::string_view text) {
  count_bytes(8 * text.size());
  bool cased = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (is_lower_character(c) || is_title_character(c)) return false;
    cased = cased || is_upper_character(c);
  }
  return cased;
}

bool is_title(std::string_view text) {
  count_bytes(16 * text.size());
  bool cased = false, after_cased = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    const bool starts = is_upper_character(c) || is_title_character(c);
    if (starts ? after_cased : is_lower_character(c) && !after_cased) return false;
    after_cased = is_cased(c);
    cased = cased || after_cased;
  }
  return cased;
}

bool all_characters(std::string_view text, bool (*predicate)(char32_t)) {
  count_bytes(8 * text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (!predicate(next_code_point(text, at))) return false;
  }
  return !text.empty();
}

bool is_alphabetic(char32_t c) { return u_isalpha(wide(c)); }

bool is_decimal(char32_t c) { return u_charType(wide(c)) == U_DECIMAL_DIGIT_NUMBER; }

bool is_digit(char32_t c) {
  const auto type = u_getIntPropertyValue(wide(c), UCHAR_NUMERIC_TYPE);
  return type == U_NT_DECIMAL || type == U_NT_DIGIT;
}

bool is_numeric_character(char32_t c) {
  return u_getIntPropertyValue(wide(c), UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

bool is_alphanumeric(char32_t c) { return is_alphabetic(c) || is_numeric_character(c); }

bool is_printable(char32_t c) {
  switch (u_charType(wide(c))) {
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_SURROGATE:
    case U_PRIVATE_USE_CHAR:
    case U_UNASSIGNED:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
      return false;
    case U_SPACE_SEPARATOR:
      return c == ' ';
    default:
      return true;
  }
}

}  // namespace aurum::text::jinja

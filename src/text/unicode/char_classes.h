#pragma once

#include <cstdint>

namespace aurum::text {

// The general categories of Unicode 16 by groups, as Hugging Face's pattern engine sees them. A
// character may be in several.
enum CharClass : std::uint8_t {
  kLetter = 1,       // \p{L}
  kMark = 2,         // \p{M}
  kNumber = 4,       // \p{N}
  kPunctuation = 8,  // \p{P}
  kSymbol = 16,      // \p{S}
  kWhiteSpace = 32,  // \s: the 25 White_Space characters
  kWordStart = 64,   // Lu, Lt, Lm, Lo, M: what GPT-4o's words may begin with
  kWordEnd = 128,    // Ll, Lm, Lo, M: what they may end with
};

// One byte of CharClass flags for each code point.
const std::uint8_t* char_class_table();
inline std::uint8_t char_classes(char32_t c) { return char_class_table()[c]; }

inline bool is_white_space(char32_t c) { return (char_classes(c) & kWhiteSpace) != 0; }
// \w of the Whitespace pre-tokenizer and of single_word: alphabetic, marks, decimal digits,
// connectors, joiners.
bool is_word_char(char32_t c);
bool is_numeric(char32_t c);  // categories Nd, Nl, No of Unicode 17

// What Hugging Face takes from older tables:
bool is_punctuation(char32_t c);      // ASCII punctuation and symbols, or category P of Unicode 8
bool is_mark(char32_t c);             // category M of Unicode 9
bool is_nonspacing_mark(char32_t c);  // category Mn of Unicode 8
bool is_control(char32_t c);          // categories Cc, Cf and Co of Unicode 8

// As Rust's char::to_lowercase: one character, but for U+0130.
char32_t to_lower(char32_t c);

// The script as UnicodeScripts sees it, a number; 0 for characters without one. Unicode 9.
int script_of(char32_t c);

}  // namespace aurum::text

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/unicode/char_classes.h"

namespace aurum::text {

// U+FFFD, what a lossy decoding puts in place of bytes that are not UTF-8.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// Reads the character at `position` of valid UTF-8 and moves `position` behind it.
char32_t next_code_point(std::string_view text, std::size_t& position);
void append_code_point(char32_t code_point, std::string& out);

// Length of the character that `lead` begins, for valid UTF-8.
inline std::size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

inline bool is_utf8_continuation(char byte) { return (byte & 0xC0) == 0x80; }
std::size_t count_code_points(std::string_view text);  // for valid UTF-8

bool is_valid_utf8(std::string_view text);

// What stands at `position` of arbitrary bytes.
struct Utf8Unit {
  std::size_t length;  // bytes of the character, or of the maximal invalid subpart
  bool valid;
  bool incomplete;  // invalid only because the bytes end here
};
Utf8Unit utf8_unit(std::string_view bytes, std::size_t position);

// Replaces each maximal invalid subpart by U+FFFD, as WHATWG and Python's errors="replace" do.
// When `boundaries` is given it is mapped from byte positions of `bytes` (rising) to positions of
// the result; a position inside a replaced subpart goes to its start.
std::string decode_lossily(std::string_view bytes, std::vector<std::int64_t>* boundaries = nullptr);

// Length of the longest prefix that no further byte can change.
std::size_t complete_utf8_prefix(std::string_view bytes);

}  // namespace aurum::text

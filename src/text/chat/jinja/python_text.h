#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What Python's str does, on UTF-8. Positions and lengths are in code points.
namespace aurum::text::jinja {

// str.isspace(): what strip() and split() remove. One set more than Unicode's White_Space: 1C-1F.
bool is_python_space(char32_t c);

std::int64_t count_characters(std::string_view text);

// The byte at which the character `index` starts, for 0 <= index <= count_characters(text).
std::size_t byte_of_character(std::string_view text, std::int64_t index);

// text[start:start + count * step:step] for positions that exist.
std::string take_characters(std::string_view text, std::int64_t start, std::int64_t step,
                            std::int64_t count);

enum class Side { kLeft, kRight, kBoth };
// `blanks` are the characters to remove; nullopt means white space.
std::string_view strip(std::string_view text, std::optional<std::string_view> blanks, Side side);

// At most `limit` splits, all when negative. Without a separator: at runs of white space.
std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator,
                               std::int64_t limit);
std::vector<std::string> split_from_right(std::string_view text,
                                          std::optional<std::string_view> separator,
                                          std::int64_t limit);
std::vector<std::string> split_lines(std::string_view text, bool keep_ends);

std::string replace(std::string_view text, std::string_view old, std::string_view with,
                    std::int64_t limit);
std::int64_t count_occurrences(std::string_view text, std::string_view part);

// The first and the last byte position of `part`, npos when it is not there. The first takes linear
// time for any text; the work of both is counted.
std::size_t find_first(std::string_view text, std::string_view part, std::size_t from = 0);
std::size_t find_last(std::string_view text, std::string_view part);

std::string to_lower(std::string_view text);  // full mapping, with the final sigma rule
std::string to_upper(std::string_view text);
std::string to_title(std::string_view text);
std::string capitalize(std::string_view text);
std::string swap_case(std::string_view text);
std::string fold_case(std::string_view text);

bool is_lower(std::string_view text);  // some cased character, and all of them lower
bool is_upper(std::string_view text);
bool is_title(std::string_view text);
// True when the text is not empty and `predicate` holds for every character.
bool all_characters(std::string_view text, bool (*predicate)(char32_t));
bool is_alphabetic(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric_character(char32_t c);
bool is_alphanumeric(char32_t c);
bool is_printable(char32_t c);

// Pads to `width` characters with the one character `fill`.
std::string pad(std::string_view text, std::int64_t width, std::string_view fill, Side text_side);
std::string zero_fill(std::string_view text, std::int64_t width);
std::string expand_tabs(std::string_view text, std::int64_t tab_size);
std::string repeat(std::string_view text, std::int64_t count);
std::string escape_html(std::string_view text);

}  // namespace aurum::text::jinja

#include "text/chat/jinja/python_text.h"

#include <algorithm>

#include <string.h>  // memmem

#include "text/chat/jinja/budget.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

bool is_continuation(char byte) { return (byte & 0xC0) == 0x80; }

// The start of the character that ends before `end`.
std::size_t previous_character(std::string_view text, std::size_t end) {
  do {
    --end;
  } while (is_continuation(text[end]));
  return end;
}

bool is_blank(std::string_view character, std::optional<std::string_view> blanks) {
  if (blanks) return blanks->find(character) != std::string_view::npos;
  std::size_t position = 0;
  return is_python_space(next_code_point(character, position));
}

bool is_line_break(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

std::string_view skip_blanks(std::string_view text) {
  return strip(text, std::nullopt, Side::kLeft);
}

// Collects the pieces of a text, counting what they and the values made of them will take.
void add_piece(std::string_view piece, std::vector<std::string>& pieces) {
  constexpr std::size_t kBytesPerPiece = 160;
  count_step();
  check_memory(pieces.size() + 1, kBytesPerPiece);
  pieces.emplace_back(piece);
}

std::vector<std::string> split_at_blanks(std::string_view text, std::int64_t limit) {
  std::vector<std::string> pieces;
  for (text = skip_blanks(text); !text.empty(); text = skip_blanks(text)) {
    if (limit-- == 0) {
      add_piece(strip(text, std::nullopt, Side::kRight), pieces);
      return pieces;
    }
    std::size_t end = 0;
    while (end < text.size()) {
      std::size_t next = end;
      if (is_python_space(next_code_point(text, next))) break;
      end = next;
    }
    add_piece(text.substr(0, end), pieces);
    text.remove_prefix(end);
  }
  return pieces;
}

std::vector<std::string> split_at_blanks_from_right(std::string_view text, std::int64_t limit) {
  std::vector<std::string> pieces;
  const auto skip = [](std::string_view t) { return strip(t, std::nullopt, Side::kRight); };
  for (text = skip(text); !text.empty(); text = skip(text)) {
    if (limit-- == 0) {
      add_piece(skip_blanks(text), pieces);
      break;
    }
    std::size_t begin = text.size();
    while (begin > 0) {
      std::size_t at = previous_character(text, begin);
      const std::size_t start = at;
      if (is_python_space(next_code_point(text, at))) break;
      begin = start;
    }
    add_piece(text.substr(begin), pieces);
    text.remove_suffix(text.size() - begin);
  }
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::string replace_between_characters(std::string_view text, std::string_view with,
                                       std::int64_t limit) {
  std::string out;
  std::size_t at = 0;
  for (; at < text.size() && limit != 0; --limit) {
    const std::size_t length = utf8_length(text[at]);
    out.append(with).append(text.substr(at, length));
    at += length;
  }
  out.append(text.substr(at));
  if (limit != 0) out.append(with);
  return out;
}

}  // namespace

bool is_python_space(char32_t c) { return is_white_space(c) || (c >= 0x1C && c <= 0x1F); }

std::int64_t count_characters(std::string_view text) {
  count_bytes(text.size());
  return std::count_if(text.begin(), text.end(), [](char byte) { return !is_continuation(byte); });
}

std::size_t byte_of_character(std::string_view text, std::int64_t index) {
  std::size_t at = 0;
  for (; index > 0; --index) at += utf8_length(text[at]);
  count_bytes(at);
  return at;
}

std::string take_characters(std::string_view text, std::int64_t start, std::int64_t step,
                            std::int64_t count) {
  if (count <= 0) return "";
  std::size_t at = byte_of_character(text, start);
  if (step == 1) {
    return std::string(text.substr(at, byte_of_character(text.substr(at), count)));
  }
  std::string out;
  for (std::int64_t taken = 0;;) {
    out.append(text.substr(at, utf8_length(text[at])));
    if (++taken == count) return out;
    count_step();
    for (std::int64_t i = 0; i < step; ++i) at += utf8_length(text[at]);
    for (std::int64_t i = 0; i > step; --i) at = previous_character(text, at);
  }
}

std::size_t find_first(std::string_view text, std::string_view part, std::size_t from) {
  if (part.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  const std::size_t at =
      found == nullptr ? std::string_view::npos
                       : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
  count_bytes((found == nullptr ? text.size() : at) - from);
  return at;
}

std::size_t find_last(std::string_view text, std::string_view part) {
  if (part.size() > text.size()) return std::string_view::npos;
  for (std::size_t at = text.size() - part.size() + 1; at-- > 0;) {
    count_bytes(8);
    if (part.empty() || text[at] == part[0]) {
      count_bytes(part.size());
      if (text.substr(at, part.size()) == part) return at;
    }
  }
  return std::string_view::npos;
}

std::string_view strip(std::string_view text, std::optional<std::string_view> blanks, Side side) {
  const std::size_t cost = blanks ? 8 + blanks->size() : 8;  // per character
  while (side != Side::kRight && !text.empty()) {
    const std::size_t length = utf8_length(text[0]);
    if (!is_blank(text.substr(0, length), blanks)) break;
    count_bytes(cost);
    text.remove_prefix(length);
  }
  while (side != Side::kLeft && !text.empty()) {
    const std::size_t begin = previous_character(text, text.size());
    if (!is_blank(text.substr(begin), blanks)) break;
    count_bytes(cost);
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator,
                               std::int64_t limit) {
  count_bytes(text.size());
  if (!separator) return split_at_blanks(text, limit);
  if (separator->empty()) fail("empty separator");
  std::vector<std::string> pieces;
  std::size_t begin = 0;
  for (std::size_t at;
       limit != 0 && (at = find_first(text, *separator, begin)) != std::string::npos; --limit) {
    add_piece(text.substr(begin, at - begin), pieces);
    begin = at + separator->size();
  }
  add_piece(text.substr(begin), pieces);
  return pieces;
}

std::vector<std::string> split_from_right(std::string_view text,
                                          std::optional<std::string_view> separator,
                                          std::int64_t limit) {
  count_bytes(text.size());
  if (!separator) return split_at_blanks_from_right(text, limit);
  if (separator->empty()) fail("empty separator");
  std::vector<std::string> pieces;
  std::size_t end = text.size();
  while (limit-- != 0) {
    if (end < separator->size()) break;
    const std::size_t at = find_last(text.substr(0, end), *separator);
    if (at == std::string_view::npos) break;
    add_piece(text.substr(at + separator->size(), end - at - separator->size()), pieces);
    end = at;
  }
  add_piece(text.substr(0, end), pieces);
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<std::string> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t break_at = at;
    const char32_t c = next_code_point(text, at);
    if (!is_line_break(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    add_piece(text.substr(begin, (keep_ends ? at : break_at) - begin), lines);
    begin = at;
  }
  if (begin < text.size()) add_piece(text.substr(begin), lines);
  return lines;
}

std::int64_t count_occurrences(std::string_view text, std::string_view part) {
  if (part.empty()) return count_characters(text) + 1;
  count_bytes(text.size());
  std::int64_t count = 0;
  for (std::size_t at = find_first(text, part); at != std::string_view::npos;
       at = find_first(text, part, at + part.size())) {
    ++count;
  }
  return count;
}

std::string replace(std::string_view text, std::string_view old, std::string_view with,
                    std::int64_t limit) {
  std::int64_t count = count_occurrences(text, old);
  if (limit >= 0) count = std::min(count, limit);
  check_memory(static_cast<std::size_t>(count), with.size());
  if (old.empty()) return replace_between_characters(text, with, count);
  std::string out;
  std::size_t begin = 0;
  for (; count > 0; --count) {
    const std::size_t at = find_first(text, old, begin);
    out.append(text.substr(begin, at - begin)).append(with);
    begin = at + old.size();
  }
  return out.append(text.substr(begin));
}

}  // namespace aurum::text::jinja

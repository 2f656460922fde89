// The parts of python_text.h that pad, repeat and escape.

#include "text/chat/jinja/budget.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

std::string repeat(std::string_view text, std::int64_t count) {
  std::string out;
  if (count <= 0 || text.empty()) return out;
  check_memory(static_cast<std::size_t>(count), text.size());
  out.reserve(static_cast<std::size_t>(count) * text.size());
  for (; count > 0; --count) out.append(text);
  return out;
}

std::string pad(std::string_view text, std::int64_t width, std::string_view fill, Side text_side) {
  const std::int64_t room = width - count_characters(text);
  if (room <= 0) return std::string(text);
  // Python puts the odd blank of a centred text to the left when the width is odd.
  const std::int64_t left = text_side == Side::kLeft    ? 0
                            : text_side == Side::kRight ? room
                                                        : room / 2 + (room & width & 1);
  return repeat(fill, left).append(text).append(repeat(fill, room - left));
}

std::string zero_fill(std::string_view text, std::int64_t width) {
  const std::string padded = pad(text, width, "0", Side::kRight);
  if (padded.size() == text.size() || text.empty() || (text[0] != '-' && text[0] != '+')) {
    return padded;
  }
  const std::size_t zeros = padded.size() - text.size();
  return text[0] + padded.substr(0, zeros) + std::string(text.substr(1));
}

std::string expand_tabs(std::string_view text, std::int64_t tab_size) {
  std::string out;
  std::int64_t column = 0;
  for (const char byte : text) {
    if (byte == '\t') {
      const std::int64_t blanks = tab_size <= 0 ? 0 : tab_size - column % tab_size;
      check_memory(out.size() + static_cast<std::size_t>(blanks));
      out.append(static_cast<std::size_t>(blanks), ' ');
      column += blanks;
      continue;
    }
    out += byte;
    if (byte == '\n' || byte == '\r') {
      column = 0;
    } else if ((byte & 0xC0) != 0x80) {
      ++column;
    }
  }
  return out;
}

std::string escape_html(std::string_view text) {
  std::string out;
  check_memory(text.size());
  for (const char byte : text) {
    switch (byte) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += byte;
    }
  }
  return out;
}

}  // namespace aurum::text::jinja

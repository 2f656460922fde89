#include "text/unicode/utf8.h"

#include <algorithm>

#include <simdjson.h>

namespace aurum::text {

char32_t next_code_point(std::string_view text, std::size_t& position) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[i]));
  };
  const char32_t lead = byte(position);
  if (lead < 0x80) {
    ++position;
    return lead;
  }
  const std::size_t p = position;
  if (lead < 0xE0) {
    position += 2;
    return (lead & 0x1F) << 6 | (byte(p + 1) & 0x3F);
  }
  if (lead < 0xF0) {
    position += 3;
    return (lead & 0x0F) << 12 | (byte(p + 1) & 0x3F) << 6 | (byte(p + 2) & 0x3F);
  }
  position += 4;
  return (lead & 0x07) << 18 | (byte(p + 1) & 0x3F) << 12 | (byte(p + 2) & 0x3F) << 6 |
         (byte(p + 3) & 0x3F);
}

void append_code_point(char32_t c, std::string& out) {
  const auto push = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xC0 | c >> 6);
    push(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    push(0xE0 | c >> 12);
    push(0x80 | (c >> 6 & 0x3F));
    push(0x80 | (c & 0x3F));
  } else {
    push(0xF0 | c >> 18);
    push(0x80 | (c >> 12 & 0x3F));
    push(0x80 | (c >> 6 & 0x3F));
    push(0x80 | (c & 0x3F));
  }
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_utf8_continuation(c); }));
}

bool is_valid_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

Utf8Unit utf8_unit(std::string_view bytes, std::size_t position) {
  const auto lead = static_cast<unsigned char>(bytes[position]);
  if (lead < 0x80) return {1, true, false};
  std::size_t length = 0;
  unsigned low = 0x80, high = 0xBF;  // what the second byte may be
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false, false};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (position + i >= bytes.size()) return {i, false, true};
    const auto byte = static_cast<unsigned char>(bytes[position + i]);
    if (byte < low || byte > high) return {i, false, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true, false};
}

std::string decode_lossily(std::string_view bytes, std::vector<std::int64_t>* boundaries) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string out;
  out.reserve(bytes.size() + 16);
  std::size_t next = 0;
  for (std::size_t p = 0; p < bytes.size();) {
    const Utf8Unit unit = utf8_unit(bytes, p);
    if (boundaries != nullptr) {
      for (; next < boundaries->size(); ++next) {
        const auto at = static_cast<std::size_t>((*boundaries)[next]);
        if (at >= p + unit.length) break;
        (*boundaries)[next] = static_cast<std::int64_t>(out.size() + (unit.valid ? at - p : 0));
      }
    }
    out += unit.valid ? bytes.substr(p, unit.length) : kReplacementCharacter;
    p += unit.length;
  }
  if (boundaries != nullptr) {
    for (; next < boundaries->size(); ++next) {
      (*boundaries)[next] = static_cast<std::int64_t>(out.size());
    }
  }
  return out;
}

std::size_t complete_utf8_prefix(std::string_view bytes) {
  const std::size_t size = bytes.size();
  // An incomplete character is at most three bytes; its lead is the last byte >= 0xC0.
  for (std::size_t back = 1; back <= 3 && back <= size; ++back) {
    const auto byte = static_cast<unsigned char>(bytes[size - back]);
    if (byte >= 0xC0) {
      return utf8_unit(bytes, size - back).incomplete ? size - back : size;
    }
    if (byte < 0x80) return size;
  }
  return size;
}

}  // namespace aurum::text

#include "text/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

struct Alphabet {
  std::array<char32_t, 256> char_of{};
  std::array<std::int16_t, 0x144> byte_of{};
};

Alphabet make_alphabet() {
  Alphabet result;
  result.byte_of.fill(-1);
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    const char32_t c = printable ? byte : next++;
    result.char_of[byte] = c;
    result.byte_of[c] = static_cast<std::int16_t>(byte);
  }
  return result;
}

const Alphabet& alphabet() {
  static const Alphabet instance = make_alphabet();
  return instance;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool bytes_of_alphabet(std::string_view token, std::string& out) {
  const Alphabet& table = alphabet();
  out.clear();
  for (std::size_t p = 0; p < token.size();) {
    const char32_t c = next_code_point(token, p);
    if (c >= table.byte_of.size() || table.byte_of[c] < 0) return false;
    out.push_back(static_cast<char>(table.byte_of[c]));
  }
  return true;
}

std::string alphabet_of_bytes(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) {
    append_code_point(alphabet().char_of[static_cast<unsigned char>(byte)], out);
  }
  return out;
}

std::optional<unsigned char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  const int high = hex_digit(token[3]), low = hex_digit(token[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<unsigned char>(high * 16 + low);
}

}  // namespace aurum::text

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace aurum::text {

// GPT-2's printable stand-ins for bytes: the byte 0x20 is written as the character U+0120.
// Returns false, with `out` unspecified, when a character of `token` is outside the alphabet.
bool bytes_of_alphabet(std::string_view token, std::string& out);
std::string alphabet_of_bytes(std::string_view bytes);

// The byte that a token such as <0x41> stands for.
std::optional<unsigned char> byte_of_token(std::string_view token);

}  // namespace aurum::text

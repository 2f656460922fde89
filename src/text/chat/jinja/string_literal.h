#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace aurum::text::jinja {

// The text that a string literal's inside stands for, by Python's escapes: \n \t \\ \' \" \xHH
// \uHHHH \UHHHHHHHH, octal, and a backslash before a newline, which removes both. An unknown escape
// keeps its backslash. Nullopt with a message when an escape is cut off or names no character.
std::optional<std::string> unescape(std::string_view body, std::string& error);

}  // namespace aurum::text::jinja

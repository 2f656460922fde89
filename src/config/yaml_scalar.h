#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/values.h"

namespace aurum::config {

// The value of a plain (unquoted) YAML scalar by YAML 1.1's implicit types, as PyYAML and OmegaConf
// read it: null, bool, integer (decimal, 0x, 0b, 0 octal, underscores), float (1e-4, .5, .inf) or
// the text itself. An integer beyond 64 bits stays text.
Json type_plain_scalar(const std::string& text);

// Python's int(text) and float(text): surrounding blanks, a sign and single underscores between
// digits are allowed. nullopt when it is no number.
std::optional<std::int64_t> parse_integer(const std::string& text);
std::optional<double> parse_float(const std::string& text);

// Python's str(value), which is what OmegaConf puts where text is wanted: True, 1e-05, 10.
std::string python_text(const Json& value);

}  // namespace aurum::config

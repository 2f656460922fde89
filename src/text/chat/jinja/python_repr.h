#pragma once

#include <string>
#include <string_view>

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// str(value), as templates print it: '' for an undefined one.
std::string to_text(const Value& value);

// repr(value), as values appear inside printed lists and mappings.
std::string repr(const Value& value);
std::string repr_text(std::string_view text);

// ascii(value): the repr with \x, \u or \U escapes for what is not ASCII.
std::string ascii(const Value& value);

}  // namespace aurum::text::jinja

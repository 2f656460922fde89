#pragma once

#include <string>
#include <string_view>

#include "text/chat/jinja/arguments.h"
#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// str.format(*positional, **keywords). Attributes and items in field names follow the rules of
// templates.
Value format_with(const Text& format, const Arguments& arguments);

// format(value, specification): [[fill]align][sign][#][0][width][grouping][.precision][type]
std::string format_value(const Value& value, std::string_view specification);

}  // namespace aurum::text::jinja

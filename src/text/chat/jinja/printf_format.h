#pragma once

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// format % arguments: a tuple gives the values in order, a mapping those of %(name)s, anything
// else is the one value.
Value printf_format(const Text& format, const Value& arguments);

}  // namespace aurum::text::jinja

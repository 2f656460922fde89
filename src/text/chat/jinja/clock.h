#pragma once

#include <ctime>
#include <optional>
#include <string>

namespace aurum::text::jinja {

// datetime.strftime of `now`, or of the local time: C's conversions in the C locale, with %f the
// microseconds and %z and %Z empty. Fails when the result would be longer than 4096 bytes.
std::string format_time(const std::string& format, const std::optional<std::tm>& now);

}  // namespace aurum::text::jinja

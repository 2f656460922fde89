#include "text/chat/jinja/clock.h"

#include <array>
#include <chrono>

#include <fmt/format.h>

#include "text/chat/jinja/budget.h"

namespace aurum::text::jinja {

namespace {

struct Moment {
  std::tm time{};
  int microseconds = 0;
};

Moment local_now() {
  using std::chrono::system_clock;
  const auto now = system_clock::now();
  const std::time_t seconds = system_clock::to_time_t(now);
  Moment moment;
  localtime_r(&seconds, &moment.time);
  const auto rest = now - system_clock::from_time_t(seconds);
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(rest).count();
  moment.microseconds = static_cast<int>(microseconds < 0 ? 0 : microseconds);
  return moment;
}

Moment moment_of(const std::optional<std::tm>& now) {
  if (!now) return local_now();
  Moment moment{.time = *now};
  std::tm normalized = *now;  // fills in the day of the week and of the year
  timegm(&normalized);
  moment.time.tm_wday = normalized.tm_wday;
  moment.time.tm_yday = normalized.tm_yday;
  return moment;
}

// Replaces the conversions in which Python differs from C.
std::string to_c_format(const std::string& format, int microseconds) {
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    const char conversion = format[++i];
    if (conversion == 'f') {
      out += fmt::format("{:06}", microseconds);
    } else if (conversion != 'z' && conversion != 'Z') {
      out += '%';
      out += conversion;
    }
  }
  return out;
}

}  // namespace

std::string format_time(const std::string& format, const std::optional<std::tm>& now) {
  const Moment moment = moment_of(now);
  // strftime returns 0 both for an empty result and for one that does not fit.
  const std::string marked = to_c_format(format, moment.microseconds) + ".";
  std::array<char, 4097> buffer;
  const std::size_t size =
      std::strftime(buffer.data(), buffer.size(), marked.c_str(), &moment.time);
  if (size == 0) fail("strftime_now: the result is too long");
  return std::string(buffer.data(), size - 1);
}

}  // namespace aurum::text::jinja

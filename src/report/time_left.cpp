#include "report/time_left.h"

#include <cstdint>

#include <fmt/format.h>

namespace aurum::report {

std::string describe_time_left(double seconds) {
  const auto left = static_cast<std::int64_t>(seconds);
  if (left >= 3600) {
    return fmt::format("{}:{:02}:{:02} left", left / 3600, left / 60 % 60, left % 60);
  }
  return fmt::format("{}:{:02} left", left / 60, left % 60);
}

}  // namespace aurum::report

#include "report/rate_line.h"

#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "report/time_left.h"

namespace aurum::report {

namespace {
constexpr std::chrono::seconds kSilence{2};
constexpr std::chrono::milliseconds kInterval{200};
}  // namespace

RateLine::RateLine(std::string unit, std::string part, std::int64_t num_parts)
    : unit_(std::move(unit)),
      part_(std::move(part)),
      num_parts_(num_parts),
      is_terminal_(::isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      next_draw_(start_ + kSilence) {}

RateLine::~RateLine() {
  if (has_drawn_) fmt::print(stderr, "\r\033[K");
}

void RateLine::draw() {
  if (!is_terminal_) return;
  const Clock::time_point now = Clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + kInterval;
  has_drawn_ = true;
  const std::chrono::duration<double> elapsed = now - start_;
  fmt::print(stderr, "\r\033[K{}", describe(elapsed.count()));
  std::fflush(stderr);
}

std::string RateLine::describe(double elapsed) const {
  const double rate = elapsed > 0 ? static_cast<double>(num_units_) / elapsed : 0.0;
  std::string line = fmt::format("{0} {1}, {2:.0f} {1}/s, {3} of {4} {5}", num_units_, unit_, rate,
                                 num_done_, num_parts_, part_);
  if (num_done_ == 0) return line;
  const double per_part = elapsed / static_cast<double>(num_done_);
  return line + ", " + describe_time_left(per_part * static_cast<double>(num_parts_ - num_done_));
}

}  // namespace aurum::report

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace aurum::report {

// Tells a person at a terminal how fast something long goes, on a line that rewrites itself:
// "1204 tokens, 87 tokens/s, 12 of 80 lines, 0:41 left". Silent elsewhere and for the first two
// seconds. Not thread-safe.
class RateLine {
 public:
  using Clock = std::chrono::steady_clock;

  // `unit` and `part` are plural nouns; `num_parts` is how many parts the whole has.
  RateLine(std::string unit, std::string part, std::int64_t num_parts);
  ~RateLine();
  RateLine(const RateLine&) = delete;
  RateLine& operator=(const RateLine&) = delete;

  void add_unit() { ++num_units_; }
  void add_part() { ++num_done_; }
  // Draws if it is time to.
  void draw();

  // The text of the line after `elapsed` seconds.
  std::string describe(double elapsed) const;

 private:
  std::string unit_, part_;
  std::int64_t num_parts_, num_units_ = 0, num_done_ = 0;
  bool is_terminal_, has_drawn_ = false;
  Clock::time_point start_, next_draw_;
};

}  // namespace aurum::report

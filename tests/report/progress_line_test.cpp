#include "report/progress_line.h"

#include <gtest/gtest.h>

namespace aurum::report {
namespace {

using std::chrono::seconds;

TEST(ProgressLine, TimeLeftCountsFromTheFirstLoggedStep) {
  ProgressLine progress(30);
  const ProgressLine::Clock::time_point start{};
  // Logged every 10 steps: one interval of 100 s is left after the second line.
  EXPECT_EQ(progress.describe({.step = 10, .loss = 0.5}, start), "step 10/30  loss 0.5000");
  EXPECT_EQ(progress.describe({.step = 20, .loss = 0.25}, start + seconds(100)),
            "step 20/30  loss 0.2500  1:40 left");
}

TEST(ProgressLine, EvaluationStartsTheClockAndSaysHeldOut) {
  ProgressLine progress(4);
  const ProgressLine::Clock::time_point start{};
  EXPECT_EQ(progress.describe({.is_evaluation = true, .step = 0, .loss = 0.5}, start),
            "step 0/4  held-out loss 0.5000");
  EXPECT_EQ(
      progress.describe({.step = 1, .loss = 0.5, .tokens_per_second = 46.2}, start + seconds(2000)),
      "step 1/4  loss 0.5000  46 tokens/s  1:40:00 left");
}

}  // namespace
}  // namespace aurum::report

#include "report/rate_line.h"

#include <gtest/gtest.h>

namespace aurum::report {
namespace {

TEST(RateLine, TellsRateAndTimeLeftFromFinishedParts) {
  RateLine line("tokens", "lines", 4);
  for (int i = 0; i < 300; ++i) line.add_unit();
  EXPECT_EQ(line.describe(10.0), "300 tokens, 30 tokens/s, 0 of 4 lines");
  line.add_part();
  EXPECT_EQ(line.describe(30.0), "300 tokens, 10 tokens/s, 1 of 4 lines, 1:30 left");
}

}  // namespace
}  // namespace aurum::report

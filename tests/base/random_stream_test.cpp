#include "base/random_stream.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace aurum {
namespace {

TEST(RandomStream, RepeatsForEqualSeedPurposeAndIndex) {
  RandomStream a(7, "rollout", 3), b(7, "rollout", 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next_u32(), b.next_u32());
}

TEST(RandomStream, DiffersBySeedPurposeAndIndex) {
  std::set<std::uint64_t> first;
  first.insert(RandomStream(7, "rollout", 3).next_u64());
  first.insert(RandomStream(8, "rollout", 3).next_u64());
  first.insert(RandomStream(7, "shuffle", 3).next_u64());
  first.insert(RandomStream(7, "rollout", 4).next_u64());
  EXPECT_EQ(first.size(), 4U);
}

TEST(RandomStream, ContinuesFromAPosition) {
  RandomStream stream(1, "data");
  for (int i = 0; i < 11; ++i) stream.next_u32();
  const std::uint64_t position = stream.position();
  const std::uint32_t expected = stream.next_u32();
  RandomStream resumed(1, "data");
  resumed.seek(position);
  EXPECT_EQ(resumed.next_u32(), expected);
}

TEST(RandomStream, IsUniform) {
  RandomStream stream(5, "test");
  double sum = 0.0;
  for (int i = 0; i < 20000; ++i) {
    const double x = stream.uniform();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    sum += x;
  }
  EXPECT_NEAR(sum / 20000, 0.5, 0.01);  // The standard error is 0.002.
  std::vector<int> counts(3);
  for (int i = 0; i < 30000; ++i) ++counts[stream.uniform_below(3)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
}

}  // namespace
}  // namespace aurum

#include "base/parallel.h"

#include <atomic>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"

namespace aurum {
namespace {

TEST(Parallel, CoversEveryIndexOnce) {
  for (const std::int64_t count : {0, 1, 7, 1000}) {
    std::vector<std::atomic<int>> hits(static_cast<std::size_t>(count));
    parallel_for(count, 3, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++hits[static_cast<std::size_t>(i)];
    });
    parallel_for_each(count, [&](std::int64_t i) { ++hits[static_cast<std::size_t>(i)]; });
    for (const auto& hit : hits) EXPECT_EQ(hit.load(), 2);
  }
}

TEST(Parallel, RethrowsOnTheCallingThread) {
  EXPECT_THROW(parallel_for_each(100,
                                 [](std::int64_t i) {
                                   if (i == 50) throw InputError("row 50");
                                 }),
               InputError);
}

}  // namespace
}  // namespace aurum

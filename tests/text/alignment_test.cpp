#include <gtest/gtest.h>

#include "base/error.h"
#include "text/alignment/byte_alignment.h"

namespace aurum::text {
namespace {

using Spans = std::vector<ByteSpan>;
using Groups = std::vector<AlignedGroup>;

TEST(ByteAlignment, ClosesGroupsAtCommonBoundaries) {
  const Spans student = {{0, 2}, {2, 5}, {5, 6}, {6, 9}};
  const Spans teacher = {{0, 5}, {5, 6}, {6, 7}, {7, 9}};
  EXPECT_EQ(align_by_bytes(student, teacher), (Groups{{0, 2, 0, 1}, {2, 3, 1, 2}, {3, 4, 2, 4}}));
}

TEST(ByteAlignment, LeavesOneGroupForTheRest) {
  const Spans student = {{0, 2}, {2, 4}, {4, 7}};
  const Spans teacher = {{0, 2}, {2, 3}};
  EXPECT_EQ(align_by_bytes(student, teacher), (Groups{{0, 1, 0, 1}, {1, 3, 1, 2}}));
}

TEST(ByteAlignment, DropsGroupsWithAnEmptySide) {
  EXPECT_EQ(align_by_bytes(Spans{{0, 2}, {2, 4}}, Spans{{0, 2}}), (Groups{{0, 1, 0, 1}}));
  EXPECT_TRUE(align_by_bytes(Spans{}, Spans{{0, 2}}).empty());
}

TEST(ByteAlignment, PairsZeroWidthEndsOfTurn) {
  EXPECT_EQ(align_by_bytes(Spans{{0, 4}, {4, 4}}, Spans{{0, 1}, {1, 4}, {4, 4}}),
            (Groups{{0, 1, 0, 2}, {1, 2, 2, 3}}));
}

TEST(ByteAlignment, RefusesSpansOutOfOrder) {
  EXPECT_THROW(align_by_bytes(Spans{{2, 4}, {0, 2}}, Spans{{0, 4}}), InputError);
  EXPECT_THROW(align_by_bytes(Spans{{0, 4}}, Spans{{3, 2}}), InputError);
}

}  // namespace
}  // namespace aurum::text

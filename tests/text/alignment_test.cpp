#include <algorithm>
#include <limits>
#include <random>
#include <set>

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

// The definition, without a walk: a group ends where an end of one side is an end of the other.
Groups align_by_definition(const Spans& student, const Spans& teacher) {
  std::set<std::int64_t> student_ends, common = {0};
  for (const ByteSpan& span : student) student_ends.insert(span.end);
  for (const ByteSpan& span : teacher) {
    if (student_ends.contains(span.end)) common.insert(span.end);
  }
  common.insert(std::numeric_limits<std::int64_t>::max());  // the rest
  const auto index_at = [](const Spans& spans, std::int64_t end) {
    return static_cast<std::int32_t>(std::count_if(
        spans.begin(), spans.end(), [&](const ByteSpan& span) { return span.end <= end; }));
  };
  Groups groups;
  for (auto it = common.begin(); std::next(it) != common.end(); ++it) {
    const std::int64_t begin = *it, end = *std::next(it);
    const AlignedGroup group = {index_at(student, begin), index_at(student, end),
                                index_at(teacher, begin), index_at(teacher, end)};
    if (group.student_end > group.student_begin && group.teacher_end > group.teacher_begin) {
      groups.push_back(group);
    }
  }
  return groups;
}

Spans random_tiles(std::mt19937& random) {
  Spans spans;
  std::int64_t at = 0;
  for (auto count = random() % 12; count > 0; --count) {
    const std::int64_t end = at + 1 + random() % 4;
    spans.push_back({at, end});
    at = end;
  }
  return spans;
}

TEST(ByteAlignment, WalksToWhatTheDefinitionSays) {
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    const Spans student = random_tiles(random), teacher = random_tiles(random);
    ASSERT_EQ(align_by_bytes(student, teacher), align_by_definition(student, teacher)) << i;
  }
}

TEST(ByteAlignment, RefusesSpansOutOfOrder) {
  EXPECT_THROW(align_by_bytes(Spans{{2, 4}, {0, 2}}, Spans{{0, 4}}), InputError);
  EXPECT_THROW(align_by_bytes(Spans{{0, 4}}, Spans{{3, 2}}), InputError);
}

}  // namespace
}  // namespace aurum::text

#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace aurum::text {

// Half-open range of UTF-8 bytes.
struct ByteSpan {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool operator==(const ByteSpan&) const = default;
};

// Student tokens [student_begin, student_end) and teacher tokens [teacher_begin, teacher_end) that
// cover the same bytes. Both ranges are non-empty.
struct AlignedGroup {
  std::int32_t student_begin = 0;
  std::int32_t student_end = 0;
  std::int32_t teacher_begin = 0;
  std::int32_t teacher_end = 0;
  bool operator==(const AlignedGroup&) const = default;
};

// Walks both span lists, always advancing the side whose current token ends earlier; a group closes
// whenever both sides end at the same byte. What is left at the end forms one last group; a group
// with an empty side is dropped. Both lists are monotone (checked; InputError). O(tokens).
std::vector<AlignedGroup> align_by_bytes(std::span<const ByteSpan> student,
                                         std::span<const ByteSpan> teacher);

}  // namespace aurum::text

#include "text/alignment/byte_alignment.h"

#include <algorithm>

#include "base/error.h"

namespace aurum::text {
namespace {

void check_monotone(std::span<const ByteSpan> spans, const char* side) {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].begin < last || spans[i].end < spans[i].begin) {
      throw InputError(fmt::format(
          "alignment: {} span {} [{}, {}) goes back behind byte {}; spans must be in text order",
          side, i, spans[i].begin, spans[i].end, last));
    }
    last = spans[i].end;
  }
}

}  // namespace

std::vector<AlignedGroup> align_by_bytes(std::span<const ByteSpan> student,
                                         std::span<const ByteSpan> teacher) {
  check_monotone(student, "student");
  check_monotone(teacher, "teacher");
  std::vector<AlignedGroup> groups;
  groups.reserve(std::min(student.size(), teacher.size()));
  std::size_t s = 0, t = 0, group_s = 0, group_t = 0;
  const auto close = [&] {
    if (s > group_s && t > group_t) {
      groups.push_back({static_cast<std::int32_t>(group_s), static_cast<std::int32_t>(s),
                        static_cast<std::int32_t>(group_t), static_cast<std::int32_t>(t)});
    }
    group_s = s;
    group_t = t;
  };
  while (s < student.size() && t < teacher.size()) {
    const std::int64_t student_end = student[s].end;
    const std::int64_t teacher_end = teacher[t].end;
    if (student_end == teacher_end) {
      ++s;
      ++t;
      close();
    } else if (student_end < teacher_end) {
      ++s;
    } else {
      ++t;
    }
  }
  s = student.size();
  t = teacher.size();
  close();
  return groups;
}

}  // namespace aurum::text

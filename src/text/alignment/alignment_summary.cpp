#include "text/alignment/alignment_summary.h"

#include <algorithm>
#include <functional>
#include <string>
#include <unordered_set>

namespace aurum::text {
namespace {

using Strings = std::unordered_set<std::string>;

// What `spelling` gives for the ordinary tokens.
Strings spellings(const Tokenizer& tokenizer, const std::function<std::string(TokenId)>& spelling) {
  Strings result;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.token_bytes(id).empty() || tokenizer.is_special(id)) continue;
    result.insert(spelling(id));
  }
  return result;
}

Strings pieces_of(const Tokenizer& tokenizer) {
  return spellings(tokenizer, [&](TokenId id) { return tokenizer.piece(id); });
}
Strings bytes_of(const Tokenizer& tokenizer) {
  return spellings(tokenizer, [&](TokenId id) { return std::string(tokenizer.token_bytes(id)); });
}

std::int64_t count_common(const Strings& a, const Strings& b) {
  return std::count_if(a.begin(), a.end(), [&](const std::string& s) { return b.contains(s); });
}

}  // namespace

void AlignmentSummary::add(std::int64_t num_bytes, std::int64_t num_student,
                           std::int64_t num_teacher, std::span<const AlignedGroup> text_groups) {
  ++texts;
  bytes += num_bytes;
  student_tokens += num_student;
  teacher_tokens += num_teacher;
  groups += static_cast<std::int64_t>(text_groups.size());
  for (const AlignedGroup& group : text_groups) {
    const std::int64_t longer =
        std::max(group.student_end - group.student_begin, group.teacher_end - group.teacher_begin);
    one_to_one += longer == 1 ? 1 : 0;
    longest_group = std::max(longest_group, longer);
  }
}

double AlignmentSummary::one_to_one_share() const {
  return groups == 0 ? 0 : static_cast<double>(one_to_one) / static_cast<double>(groups);
}

VocabularyOverlap overlap_of(const Tokenizer& student, const Tokenizer& teacher) {
  const Strings student_pieces = pieces_of(student), teacher_pieces = pieces_of(teacher);
  return {.student_tokens = static_cast<std::int64_t>(student_pieces.size()),
          .teacher_tokens = static_cast<std::int64_t>(teacher_pieces.size()),
          .same_bytes = count_common(bytes_of(student), bytes_of(teacher)),
          .same_strings = count_common(student_pieces, teacher_pieces)};
}

}  // namespace aurum::text

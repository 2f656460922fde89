#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "text/alignment/byte_alignment.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::text {

// Statistics over the alignments of many texts.
struct AlignmentSummary {
  std::int64_t texts = 0, bytes = 0;
  std::int64_t student_tokens = 0, teacher_tokens = 0;
  std::int64_t groups = 0;
  std::int64_t one_to_one = 0;     // groups of one token on both sides
  std::int64_t longest_group = 0;  // tokens on its longer side

  void add(std::int64_t num_bytes, std::int64_t num_student, std::int64_t num_teacher,
           std::span<const AlignedGroup> text_groups);
  double one_to_one_share() const;  // 0 without groups
};

// How much two vocabularies have in common, special tokens left out.
struct VocabularyOverlap {
  std::int64_t student_tokens = 0, teacher_tokens = 0;
  std::int64_t same_bytes = 0;    // byte strings that both can write with one token
  std::int64_t same_strings = 0;  // token strings that both have, as their files spell them
};
VocabularyOverlap overlap_of(const Tokenizer& student, const Tokenizer& teacher);

}  // namespace aurum::text

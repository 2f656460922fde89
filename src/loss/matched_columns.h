#pragma once

#include <cstdint>
#include <vector>

#include "loss/distillation_loss.h"

namespace aurum::loss {

// How many columns of each head count: those of the tokenizers, all of them under `compat_trl`.
struct Widths {
  std::int64_t student = 0, teacher = 0;
};
Widths counted_widths(const VocabularyPair& vocabulary, std::int64_t student_vocab,
                      std::int64_t teacher_vocab, const LossConfig& config);

// Columns that the hybrid loss pairs: student[i] with teacher[i].
struct MatchedColumns {
  std::vector<std::int64_t> student, teacher;
};
// Throws InputError for a pair outside `widths`.
MatchedColumns match_columns(const VocabularyPair& vocabulary, const Widths& widths);

// The columns in [0, width) that are not in `taken`, in order.
std::vector<std::int64_t> other_columns(const std::vector<std::int64_t>& taken, std::int64_t width);

// What the two parts of the hybrid loss count for: fixed, or by the share of the teacher's
// vocabulary that is matched. TRL compares nothing where one side has no unmatched column.
struct HybridWeights {
  double matched = 0.0, unmatched = 0.0;
  bool compare_rest = true;
};
HybridWeights hybrid_weights(const LossConfig& config, const MatchedColumns& columns,
                             const Widths& widths);

}  // namespace aurum::loss

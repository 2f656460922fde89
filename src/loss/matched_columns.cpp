#include "loss/matched_columns.h"

#include <algorithm>

#include "base/error.h"

namespace aurum::loss {

Widths counted_widths(const VocabularyPair& vocabulary, std::int64_t student_vocab,
                      std::int64_t teacher_vocab, const LossConfig& config) {
  if (config.compat_trl) return {student_vocab, teacher_vocab};
  return {std::min(student_vocab, vocabulary.student_size),
          std::min(teacher_vocab, vocabulary.teacher_size)};
}

MatchedColumns match_columns(const VocabularyPair& vocabulary, const Widths& widths) {
  MatchedColumns columns;
  for (const auto& [s, t] : vocabulary.matched) {
    if (s < 0 || t < 0 || s >= widths.student || t >= widths.teacher) {
      throw InputError(
          fmt::format("matched_ids: the pair ({}, {}) is outside the vocabularies of {} and {}", s,
                      t, widths.student, widths.teacher));
    }
    columns.student.push_back(s);
    columns.teacher.push_back(t);
  }
  return columns;
}

std::vector<std::int64_t> other_columns(const std::vector<std::int64_t>& taken,
                                        std::int64_t width) {
  std::vector<bool> is_taken(static_cast<std::size_t>(width));
  for (const std::int64_t id : taken) is_taken[static_cast<std::size_t>(id)] = true;
  std::vector<std::int64_t> rest;
  for (std::int64_t id = 0; id < width; ++id) {
    if (!is_taken[static_cast<std::size_t>(id)]) rest.push_back(id);
  }
  return rest;
}

HybridWeights hybrid_weights(const LossConfig& config, const MatchedColumns& columns,
                             const Widths& widths) {
  const auto matched = static_cast<std::int64_t>(columns.student.size());
  const double share = static_cast<double>(matched) / static_cast<double>(widths.teacher);
  const bool both_have_rest = matched < widths.student && matched < widths.teacher;
  return {.matched = config.hybrid_matched_weight.value_or(share),
          .unmatched = config.hybrid_unmatched_weight.value_or(1.0 - share),
          .compare_rest = both_have_rest || !config.compat_trl};
}

}  // namespace aurum::loss

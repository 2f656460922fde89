#pragma once

#include <vector>

#include <ATen/ATen.h>

#include "loss/distillation_loss.h"
#include "loss/fused_lm_head_loss.h"

namespace aurum::loss {

// A prompt token, then completion tokens of the given byte lengths, then (maybe) the end of turn.
inline RowSide make_side(const std::vector<std::int64_t>& lengths, bool eos, std::int32_t vocab) {
  RowSide side;
  side.ids = {0};
  side.is_completion = {false};
  side.spans = {{0, 0}};
  std::int64_t at = 0;
  for (const std::int64_t length : lengths) {
    side.ids.push_back(static_cast<std::int32_t>(side.ids.size() * 3) % vocab);
    side.is_completion.push_back(true);
    side.spans.push_back({at, at + length});
    at += length;
  }
  if (eos) {
    side.ids.push_back(1);
    side.is_completion.push_back(true);
    side.spans.push_back({at, at});
    side.ends_with_eos = true;
  }
  return side;
}

// A window as small as can be that still has everything: prompts, multi-token groups, ragged rows,
// ends of turn, padded head rows, matched ids.
struct Problem {
  std::vector<Row> rows;
  HeadInput student, teacher;
  VocabularyPair vocabulary;
};

struct ProblemSize {
  std::int64_t student_vocab = 13, teacher_vocab = 9, student_hidden = 6, teacher_hidden = 5;
};

inline Problem make_problem(at::ScalarType dtype, const ProblemSize& size = {}) {
  at::manual_seed(5);
  const auto student_size = size.student_vocab - 1, teacher_size = size.teacher_vocab - 1;
  const auto s = static_cast<std::int32_t>(student_size),
             t = static_cast<std::int32_t>(teacher_size);
  Problem problem;
  problem.rows = {{make_side({1, 2, 3}, true, s), make_side({3, 1, 2}, true, t)},
                  {make_side({2, 2}, false, s), make_side({1, 1, 2}, false, t)},
                  {make_side({4}, true, s), make_side({1, 1, 1, 1}, true, t)}};
  std::int64_t students = 0, teachers = 0;
  for (const Row& row : problem.rows) {
    students += static_cast<std::int64_t>(row.student.ids.size());
    teachers += static_cast<std::int64_t>(row.teacher.ids.size());
  }
  const auto random = [dtype](std::int64_t rows, std::int64_t cols) {
    return at::randn({rows, cols}).to(dtype);
  };
  problem.student = {.hidden = random(students, size.student_hidden),
                     .weight = random(size.student_vocab, size.student_hidden),
                     .vocab = size.student_vocab};
  problem.teacher = {.hidden = random(teachers, size.teacher_hidden),
                     .weight = random(size.teacher_vocab, size.teacher_hidden),
                     .vocab = size.teacher_vocab};
  problem.vocabulary = {.student_size = student_size,
                        .teacher_size = teacher_size,
                        .matched = {{1, 1}, {2, 5}, {7, 3}}};
  return problem;
}

// Settings that lead through every branch of the loss.
inline std::vector<LossConfig> every_loss() {
  LossConfig uld{.use_uld_loss = true, .crossentropy_weight = 0.3, .student_temperature = 1.5};
  LossConfig hybrid = uld;
  hybrid.hybrid = true;
  LossConfig shared_entropy = hybrid;
  shared_entropy.student_temperature = 1.0;
  LossConfig with_eos = hybrid;
  with_eos.skip_student_eos = with_eos.skip_teacher_eos = false;
  with_eos.merge = MergeStrategy::kObserved;
  with_eos.beta = 0.0;
  LossConfig weighted = shared_entropy;
  weighted.hybrid_matched_weight = 0.7;
  weighted.hybrid_unmatched_weight = 0.2;
  weighted.distillation_weight = 0.5;
  weighted.beta = 1.0;
  LossConfig trl = shared_entropy;
  trl.compat_trl = true;
  LossConfig positional = uld;
  positional.use_extended_uld = false;
  LossConfig sequence = hybrid;
  sequence.sequence_level = true;
  std::vector<LossConfig> all{uld,      hybrid, shared_entropy, with_eos,
                              weighted, trl,    positional,     sequence};
  for (const double beta : {0.0, 0.3, 1.0}) all.push_back({.temperature = 0.8, .beta = beta});
  return all;
}

// The rows [begin, end) alone, with their part of the hidden states.
inline Problem rows_of(const Problem& problem, std::size_t begin, std::size_t end) {
  Problem part = problem;
  std::int64_t s[2] = {}, t[2] = {};
  for (std::size_t i = 0; i < end; ++i) {
    const auto& [student, teacher] = problem.rows[i];
    for (int edge = i < begin ? 0 : 1; edge < 2; ++edge) {
      s[edge] += static_cast<std::int64_t>(student.ids.size());
      t[edge] += static_cast<std::int64_t>(teacher.ids.size());
    }
  }
  part.rows = {problem.rows.begin() + static_cast<std::ptrdiff_t>(begin),
               problem.rows.begin() + static_cast<std::ptrdiff_t>(end)};
  part.student.hidden = problem.student.hidden.slice(0, s[0], s[1]);
  part.teacher.hidden = problem.teacher.hidden.slice(0, t[0], t[1]);
  return part;
}

inline LossResult plain(const Problem& p, const LossConfig& config, const WindowCounts& counts,
                        bool use_float64 = false) {
  return plain_loss(p.rows, p.student, p.teacher, p.vocabulary, counts, config, use_float64);
}

inline LossResult fused(FusedLmHeadLoss& loss, const Problem& p, const LossConfig& config,
                        const WindowCounts& counts, std::int64_t chunk) {
  LossResult result{.gradients = zero_gradients(p.student, at::kFloat)};
  result.terms = loss.compute(p.rows, p.student, p.teacher, p.vocabulary, counts, config, chunk,
                              result.gradients);
  return result;
}

}  // namespace aurum::loss

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "text/alignment/byte_alignment.h"

namespace aurum::loss {

enum class MergeStrategy { kBayesian, kObserved };

// training.gold.*, as far as the loss is concerned.
struct LossConfig {
  bool use_uld_loss = false;
  bool use_extended_uld = true;
  bool hybrid = false;
  std::optional<double> hybrid_matched_weight, hybrid_unmatched_weight;  // both or neither
  double crossentropy_weight = 0.0;
  double distillation_weight = 1.0;
  double student_temperature = 1.0, teacher_temperature = 1.0;  // ULD
  double temperature = 1.0;                                     // JSD
  double beta = 0.5;
  bool skip_student_eos = true, skip_teacher_eos = true;
  MergeStrategy merge = MergeStrategy::kBayesian;
  bool compat_trl = false;
  // Sequence-level KD: the student's cross entropy on the answers in place of everything above. The
  // teacher's sides of the rows stay empty.
  bool sequence_level = false;
};

// Which columns of the two heads count, and which stand for the same token.
struct VocabularyPair {
  std::int64_t student_size = 0;  // tokenizer sizes; columns at or above take no part
  std::int64_t teacher_size = 0;
  std::vector<std::pair<std::int32_t, std::int32_t>> matched;  // (student id, teacher id)
};

// One side of one row: where its completion lies among the row's positions.
struct RowSide {
  std::vector<std::int32_t> ids;      // [positions], prompt included
  std::vector<bool> is_completion;    // [positions], true on completion tokens
  std::vector<text::ByteSpan> spans;  // [positions], in completion bytes; unused elsewhere
  bool ends_with_eos = false;         // the last token is the end of turn
};

struct Row {
  RowSide student, teacher;
};

// What the loss needs of a head: a weight to multiply hidden states with, or logits as they are.
//   hidden  [positions, hidden]  positions of all rows laid end to end
//   weight  [vocab, hidden]; undefined when `hidden` already holds logits [positions, vocab]
//   weight_rows: expands rows [begin, end) of a head that is kept in quantized blocks; used when
//                weight is undefined and this is set
struct HeadInput {
  at::Tensor hidden;
  at::Tensor weight;
  std::function<at::Tensor(std::int64_t begin, std::int64_t end)> weight_rows;
  std::int64_t vocab = 0;
  std::optional<double> logit_softcap;
};

// Denominators of the whole optimizer window, all micro-batches and ranks.
struct WindowCounts {
  std::int64_t rows = 0;           // ULD
  std::int64_t ce_tokens = 0;      // cross entropy
  std::int64_t jsd_positions = 0;  // JSD on a shared vocabulary

  WindowCounts& operator+=(const WindowCounts& part) {
    rows += part.rows;
    ce_tokens += part.ce_tokens;
    jsd_positions += part.jsd_positions;
    return *this;
  }
};

WindowCounts count_window(const std::vector<Row>& rows, const LossConfig& config);

// Already divided by the window's counts, so that micro-batches simply add up.
struct LossTerms {
  double loss = 0.0, distillation = 0.0, cross_entropy = 0.0;
  double matched = 0.0, unmatched = 0.0;
  std::int64_t groups = 0;

  LossTerms& operator+=(const LossTerms& part) {
    loss += part.loss;
    distillation += part.distillation;
    cross_entropy += part.cross_entropy;
    matched += part.matched;
    unmatched += part.unmatched;
    groups += part.groups;
    return *this;
  }
};

// Gradients of `loss`. Undefined tensors where not wanted: that of the head, where it is frozen.
struct LossGradients {
  at::Tensor student_hidden;  // like the student's hidden (or logits)
  at::Tensor student_weight;  // [vocab, hidden]
};

struct LossResult {
  LossTerms terms;
  LossGradients gradients;
};

// The specification: whole tensors and autograd, in float32 or float64, whatever the inputs' type.
// FusedLmHeadLoss computes the same without them.
LossResult plain_loss(const std::vector<Row>& rows, const HeadInput& student,
                      const HeadInput& teacher, const VocabularyPair& vocabulary,
                      const WindowCounts& counts, const LossConfig& config, bool use_float64,
                      bool want_gradients = true);

// The weight of the cross entropy in the loss.
double entropy_weight(const LossConfig& config);

// The loss that is minimised, from its parts.
double total_loss(const LossTerms& terms, const LossConfig& config);

// Gradients of the right shapes, all zero.
LossGradients zero_gradients(const HeadInput& student, at::ScalarType dtype);

}  // namespace aurum::loss

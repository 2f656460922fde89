// GOLD's losses in their plain form, which is their specification: a row at a time, whole tensors,
// autograd. The formulas are in generalized_jsd.cpp, uld.cpp, merged_probs.cpp and hybrid_uld.cpp;
// fused_lm_head_loss.cpp computes the same.

#include "loss/distillation_loss.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "loss/generalized_jsd.h"
#include "loss/hybrid_uld.h"
#include "loss/matched_columns.h"
#include "loss/merged_probs.h"
#include "loss/row_groups.h"
#include "loss/uld.h"

namespace aurum::loss {

namespace {

// The logits of one row's positions: [positions, vocab].
at::Tensor row_logits(const HeadInput& head, std::int64_t begin, std::size_t size,
                      at::ScalarType dtype) {
  const at::Tensor hidden =
      head.hidden.slice(0, begin, begin + static_cast<std::int64_t>(size)).to(dtype);
  at::Tensor logits = hidden;
  if (head.weight.defined()) {
    logits = at::mm(hidden, head.weight.to(dtype).t());
  } else if (head.weight_rows) {
    logits = at::mm(hidden, head.weight_rows(0, head.vocab).to(dtype).t());
  }
  if (head.logit_softcap) logits = at::tanh(logits / *head.logit_softcap) * *head.logit_softcap;
  return logits;
}

using PredictedTokens = std::vector<std::pair<std::int64_t, std::int32_t>>;

at::Tensor select_positions(const at::Tensor& rows, const PredictedTokens& tokens,
                            std::size_t count) {
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < count; ++i) positions.push_back(tokens[i].first);
  return rows.index_select(0, at::tensor(positions, at::kLong));
}

// Adds up the terms of a window, row by row.
class PlainLoss {
 public:
  PlainLoss(const VocabularyPair& vocabulary, const Widths& widths, const WindowCounts& counts,
            const LossConfig& config, LossTerms& terms)
      : widths_(widths), counts_(counts), config_(config), terms_(terms) {
    if (!config.use_uld_loss || !config.hybrid || config.sequence_level) return;
    columns_ = match_columns(vocabulary, widths);
    weights_ = hybrid_weights(config, columns_, widths);
  }

  // The row's part of the loss, differentiable; undefined when nothing counts.
  at::Tensor add(const Row& row, const at::Tensor& student_logits,
                 const at::Tensor& teacher_logits) {
    const at::Tensor z = student_logits.slice(1, 0, widths_.student);
    if (config_.sequence_level) return cross_entropy(row, z);
    if (!config_.use_uld_loss) return jsd(row, student_logits, teacher_logits);
    const at::Tensor distillation =
        uld(row, z, teacher_logits.slice(1, 0, widths_.teacher)) * config_.distillation_weight;
    if (config_.crossentropy_weight == 0.0) return distillation;
    return distillation + cross_entropy(row, z) * config_.crossentropy_weight;
  }

 private:
  at::Tensor jsd(const Row& row, const at::Tensor& student, const at::Tensor& teacher) {
    const auto student_tokens = predicted_tokens(row.student);
    const auto teacher_tokens = predicted_tokens(row.teacher);
    const std::size_t count = std::min(student_tokens.size(), teacher_tokens.size());
    terms_.groups += static_cast<std::int64_t>(count);
    const std::int64_t width = std::min(widths_.student, widths_.teacher);
    const auto log_probs = [&](const at::Tensor& logits, const PredictedTokens& tokens) {
      return (select_positions(logits, tokens, count).slice(1, 0, width) / config_.temperature)
          .log_softmax(1);
    };
    const at::Tensor sum = generalized_jsd(log_probs(student, student_tokens),
                                           log_probs(teacher, teacher_tokens), config_.beta) /
                           std::max<std::int64_t>(1, counts_.jsd_positions);
    terms_.distillation += sum.item<double>();
    return sum;
  }

  at::Tensor uld(const Row& row, const at::Tensor& student, const at::Tensor& teacher) {
    const std::vector<Group> groups = groups_of_row(row, config_);
    terms_.groups += static_cast<std::int64_t>(groups.size());
    if (groups.empty()) return student.sum() * 0.0;
    std::vector<const GroupSide*> student_sides, teacher_sides;
    for (const Group& group : groups) {
      student_sides.push_back(&group.student);
      teacher_sides.push_back(&group.teacher);
    }
    const at::Tensor p =
        merged_probs((student / config_.student_temperature).softmax(1), student_sides);
    const at::Tensor q =
        merged_probs((teacher / config_.teacher_temperature).softmax(1), teacher_sides);
    const double share =
        1.0 / (static_cast<double>(groups.size()) * static_cast<double>(counts_.rows));
    const at::Tensor sum = config_.hybrid ? hybrid(p, q, share) : sorted_l1(p, q) * share;
    terms_.distillation += sum.item<double>();
    return sum;
  }

  at::Tensor hybrid(const at::Tensor& p, const at::Tensor& q, double share) {
    const HybridParts parts = hybrid_uld(p, q, columns_, weights_.compare_rest, config_.beta);
    terms_.matched += parts.matched.item<double>() * share;
    terms_.unmatched += parts.unmatched.item<double>() * share;
    return (weights_.matched * parts.matched + weights_.unmatched * parts.unmatched) * share;
  }

  at::Tensor cross_entropy(const Row& row, const at::Tensor& student) {
    const PredictedTokens tokens = predicted_tokens(row.student);
    std::vector<std::int64_t> ids;
    for (const auto& [position, id] : tokens) ids.push_back(id);
    const at::Tensor log_probs = select_positions(student, tokens, tokens.size()).log_softmax(1);
    const at::Tensor sum = -log_probs.gather(1, at::tensor(ids, at::kLong).unsqueeze(1)).sum() /
                           std::max<std::int64_t>(1, counts_.ce_tokens);
    terms_.cross_entropy += sum.item<double>();
    return sum;
  }

  const Widths widths_;
  const WindowCounts& counts_;
  const LossConfig& config_;
  LossTerms& terms_;
  MatchedColumns columns_;
  HybridWeights weights_;
};

}  // namespace

double entropy_weight(const LossConfig& config) {
  if (config.sequence_level) return 1.0;
  return config.use_uld_loss ? config.crossentropy_weight : 0.0;
}

double total_loss(const LossTerms& terms, const LossConfig& config) {
  if (config.sequence_level) return terms.cross_entropy;
  if (!config.use_uld_loss) return terms.distillation;
  return config.distillation_weight * terms.distillation +
         config.crossentropy_weight * terms.cross_entropy;
}

LossGradients zero_gradients(const HeadInput& student, at::ScalarType dtype) {
  LossGradients gradients{.student_hidden = at::zeros(student.hidden.sizes(), dtype)};
  if (student.weight.defined()) gradients.student_weight = at::zeros(student.weight.sizes(), dtype);
  return gradients;
}

LossResult plain_loss(const std::vector<Row>& rows, const HeadInput& student,
                      const HeadInput& teacher, const VocabularyPair& vocabulary,
                      const WindowCounts& counts, const LossConfig& config, bool use_float64,
                      bool want_gradients) {
  const at::ScalarType dtype = use_float64 ? at::kDouble : at::kFloat;
  LossResult result;
  PlainLoss loss(vocabulary, counted_widths(vocabulary, student.vocab, teacher.vocab, config),
                 counts, config, result.terms);
  HeadInput leaf = student;
  const c10::AutoGradMode grad(want_gradients);
  leaf.hidden = student.hidden.detach().to(dtype, false, true).requires_grad_(want_gradients);
  if (student.weight.defined()) {
    leaf.weight = student.weight.detach().to(dtype, false, true).requires_grad_(want_gradients);
  }
  std::int64_t student_begin = 0, teacher_begin = 0;
  for (const Row& row : rows) {
    at::Tensor teacher_logits;
    if (!config.sequence_level) {
      const c10::NoGradGuard no_grad;
      teacher_logits = row_logits(teacher, teacher_begin, row.teacher.ids.size(), dtype);
    }
    const at::Tensor part = loss.add(
        row, row_logits(leaf, student_begin, row.student.ids.size(), dtype), teacher_logits);
    if (want_gradients) part.backward();
    student_begin += static_cast<std::int64_t>(row.student.ids.size());
    teacher_begin += static_cast<std::int64_t>(row.teacher.ids.size());
  }
  result.terms.loss = total_loss(result.terms, config);
  if (!want_gradients) return result;
  result.gradients = zero_gradients(leaf, dtype);
  if (leaf.hidden.grad().defined()) result.gradients.student_hidden = leaf.hidden.grad();
  if (leaf.weight.defined() && leaf.weight.grad().defined()) {
    result.gradients.student_weight = leaf.weight.grad();
  }
  return result;
}

}  // namespace aurum::loss

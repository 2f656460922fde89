// The formulas are those of distillation_loss.cpp, differentiated by hand. With e_k = exp((z_k -
// max) / tau), a row's softmax p = e / sum and a group's merged P = F p, F the product of the other
// tokens' probabilities, let D_k = P_k dL/dP_k and A = sum_k D_k. Then
//
//   row that gives the distribution   dL/dz_k = (D_k - p_k A) / tau
//   row of a factor, token x          dL/dz_k = ([k = x] - p_k) A / tau, 0 where the floor holds
//   cross entropy of token y          dL/dz_k = (p_k - [k = y]) w, on top, at tau = 1
//
// so that every row's gradient is one pass: a D + b e, and a single column more or two.

#include "loss/fused_lm_head_loss.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "base/parallel.h"
#include "loss/bucket_l1.h"
#include "loss/chunk_plan.h"
#include "loss/head_products.h"
#include "loss/hybrid_uld.h"
#include "loss/row_kernels.h"

namespace aurum::loss {

namespace {

constexpr double kFloor = 1e-8;          // of factors
constexpr float kVeryNegative = -1e30F;  // a logit that counts for nothing

// Floats that are not initialised, and grow only.
class Buffer {
 public:
  float* get(std::int64_t size) {
    if (size > size_) {
      data_.reset();  // first, so that both never exist at once
      data_ = std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(size));
      size_ = size;
    }
    return data_.get();
  }

 private:
  std::unique_ptr<float[]> data_;
  std::int64_t size_ = 0;
};

struct ThreadScratch {
  Buffer weighted, gradient;
  BucketL1 l1;
};

// What is known of a row of logits besides its exponentials.
struct RowState {
  float max = 0.0F;
  double sum = 1.0;  // of the exponentials
  double entropy_logit = 0.0;
  double slope = 0.0;              // A of the group that the row is a factor of
  std::int32_t factor_id = kNoId;  // kNoId: no factor, or one at its floor
};

struct GroupResult {
  double matched = 0.0, unmatched = 0.0, distillation = 0.0;
};

}  // namespace

struct FusedScratch {
  Buffer student, teacher;  // logits of a chunk
  std::vector<ThreadScratch> threads;
};

namespace {

// One call of FusedLmHeadLoss::compute.
class FusedCall {
 public:
  FusedCall(const HeadInput& student, const HeadInput& teacher, const VocabularyPair& vocabulary,
            const WindowCounts& counts, const LossConfig& config, FusedScratch& scratch)
      : student_input_(student),
        teacher_input_(teacher),
        config_(config),
        scratch_(scratch),
        student_(student),
        teacher_(teacher),
        widths_(counted_widths(vocabulary, student.vocab, teacher.vocab, config)),
        entropy_share_(1.0 / static_cast<double>(std::max<std::int64_t>(1, counts.ce_tokens))) {
    // JSD compares the columns that both sides have.
    if (is_jsd()) widths_.student = widths_.teacher = std::min(widths_.student, widths_.teacher);
    if (is_jsd() || !config.hybrid || config.sequence_level) return;
    columns_ = match_columns(vocabulary, widths_);
    weights_ = hybrid_weights(config, columns_, widths_);
    partner_.assign(static_cast<std::size_t>(student_.stride()), -1);
    for (std::size_t i = 0; i < columns_.student.size(); ++i) {
      partner_[static_cast<std::size_t>(columns_.student[i])] =
          static_cast<std::int32_t>(columns_.teacher[i]);
    }
  }

  void run(const Chunk& chunk, const LossGradients& gradients, LossTerms& terms) {
    const auto num_students = static_cast<std::int64_t>(chunk.student_positions.size());
    const auto num_teachers = static_cast<std::int64_t>(chunk.teacher_positions.size());
    chunk_ = &chunk;
    want_gradients_ = gradients.student_hidden.defined();
    student_logits_ = scratch_.student.get(num_students * student_.stride());
    teacher_logits_ = scratch_.teacher.get(num_teachers * teacher_.stride());
    student_states_.assign(static_cast<std::size_t>(num_students), {});
    teacher_states_.assign(static_cast<std::size_t>(num_teachers), {});
    group_results_.assign(chunk.groups.size(), {});

    const at::Tensor positions = at::tensor(chunk.student_positions, at::kLong);
    student_.logits(positions, student_logits_);
    if (num_teachers > 0) {
      teacher_.logits(at::tensor(chunk.teacher_positions, at::kLong), teacher_logits_);
    }
    parallel_for_each(num_students + num_teachers, [&](std::int64_t row) {
      row < num_students ? prepare_student(row) : prepare_teacher(row - num_students);
    });
    add_entropy(terms);
    in_threads(static_cast<std::int64_t>(chunk.groups.size()),
               [&](std::int64_t group, ThreadScratch& thread) { run_group(group, thread); });
    add_groups(terms);
    if (!want_gradients_) return;
    in_threads(num_students, [&](std::int64_t row, ThreadScratch& thread) {
      if (!is_base_[static_cast<std::size_t>(row)]) finish_row(row, nullptr, 0.0, thread);
    });
    student_.add_gradient(positions, student_logits_, gradients);
  }

 private:
  bool is_jsd() const { return !config_.use_uld_loss && !config_.sequence_level; }
  double student_temperature() const {
    if (chunk_->groups.empty()) return 1.0;  // cross entropy alone
    return is_jsd() ? config_.temperature : config_.student_temperature;
  }
  double teacher_temperature() const {
    return is_jsd() ? config_.temperature : config_.teacher_temperature;
  }
  float* student_row(std::int64_t row) const { return student_logits_ + row * student_.stride(); }
  float* teacher_row(std::int64_t row) const { return teacher_logits_ + row * teacher_.stride(); }
  RowState& student_state(std::int64_t row) {
    return student_states_[static_cast<std::size_t>(row)];
  }
  RowState& teacher_state(std::int64_t row) {
    return teacher_states_[static_cast<std::size_t>(row)];
  }

  // Calls body(index, scratch of the thread) for every index.
  template <typename Body>
  void in_threads(std::int64_t count, Body body) {
    scratch_.threads.resize(
        std::max<std::size_t>(scratch_.threads.size(), static_cast<std::size_t>(num_threads())));
    std::atomic<std::size_t> next_thread{0};
    parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
      ThreadScratch& thread = scratch_.threads[next_thread++];
      for (std::int64_t index = begin; index < end; ++index) body(index, thread);
    });
  }

  void prepare_student(std::int64_t row) {
    RowState& state = student_state(row);
    const std::int32_t id = chunk_->entropy_ids[static_cast<std::size_t>(row)];
    prepare(student_row(row), student_.stride(), widths_.student, student_input_.logit_softcap,
            student_temperature(), id, state);
  }

  void prepare_teacher(std::int64_t row) {
    prepare(teacher_row(row), teacher_.stride(), widths_.teacher, teacher_input_.logit_softcap,
            teacher_temperature(), kNoId, teacher_state(row));
  }

  // Turns a row of logits into exponentials; JSD keeps the logits, which it needs itself.
  void prepare(float* row, std::int64_t stride, std::int64_t width, std::optional<double> cap,
               double temperature, std::int32_t entropy_id, RowState& state) const {
    std::fill(row + width, row + padded(width), kVeryNegative);
    std::fill(row + padded(width), row + stride, 0.0F);
    if (cap) {
      cap_logits(row, width, static_cast<float>(*cap));
      std::fill(row + width, row + padded(width), kVeryNegative);
    }
    state.max = row_max(row, width);
    if (entropy_id != kNoId) state.entropy_logit = row[entropy_id];
    const auto inverse = static_cast<float>(1.0 / temperature);
    state.sum = is_jsd() ? sum_exponentials(row, width, state.max, inverse)
                         : exponentials_in_place(row, width, state.max, inverse);
  }

  void add_entropy(LossTerms& terms) {
    for (std::size_t row = 0; row < student_states_.size(); ++row) {
      if (chunk_->entropy_ids[row] == kNoId) continue;
      const RowState& state = student_states_[row];
      terms.cross_entropy +=
          entropy_share_ * (std::log(state.sum) + state.max - state.entropy_logit);
    }
  }

  // F / sum: what turns exponentials into the group's probabilities.
  template <typename RowOf>
  static double merge_scale(const PlannedSide& side, std::vector<RowState>& states, RowOf row_of) {
    double scale = 1.0 / states[static_cast<std::size_t>(side.base)].sum;
    for (const PlannedFactor& factor : side.factors) {
      const double p =
          row_of(factor.row)[factor.id] / states[static_cast<std::size_t>(factor.row)].sum;
      scale *= std::max(p, kFloor);
    }
    return scale;
  }

  void run_group(std::int64_t index, ThreadScratch& thread) {
    const PlannedGroup& group = chunk_->groups[static_cast<std::size_t>(index)];
    GroupResult& result = group_results_[static_cast<std::size_t>(index)];
    float* weighted = thread.weighted.get(student_.stride());
    const double slope =
        is_jsd() ? run_jsd(group, weighted, result) : run_uld(group, weighted, thread.l1, result);
    if (!want_gradients_) return;
    for (const PlannedFactor& factor : group.student.factors) {
      RowState& state = student_state(factor.row);
      if (student_row(factor.row)[factor.id] / state.sum < kFloor) continue;
      state.slope = slope;
      state.factor_id = factor.id;
    }
    finish_row(group.student.base, weighted, slope, thread);
  }

  double run_jsd(const PlannedGroup& group, float* weighted, GroupResult& result) {
    RowState& state = student_state(group.student.base);
    const RowState& teacher_state_of_row = teacher_state(group.teacher.base);
    float* row = student_row(group.student.base);
    const LogitRow student{row, state.max, static_cast<float>(std::log(state.sum))};
    const LogitRow teacher{teacher_row(group.teacher.base), teacher_state_of_row.max,
                           static_cast<float>(std::log(teacher_state_of_row.sum))};
    const ColumnSums sums =
        shared_jsd(student, teacher, widths_.student, static_cast<float>(1.0 / config_.temperature),
                   config_.beta, static_cast<float>(group.share), weighted);
    // The row holds probabilities now: exponentials of logits with another maximum.
    state.max += static_cast<float>(config_.temperature) * student.log_sum;
    state.sum = 1.0;
    result.distillation = sums.value * group.share;
    return sums.slope;
  }

  double run_uld(const PlannedGroup& group, float* weighted, BucketL1& l1, GroupResult& result) {
    const auto scale = [](double value) { return static_cast<float>(value); };
    const ScaledRow student{
        student_row(group.student.base), widths_.student,
        scale(merge_scale(group.student, student_states_,
                          [this](std::int64_t row) { return student_row(row); }))};
    const ScaledRow teacher{
        teacher_row(group.teacher.base), widths_.teacher,
        scale(merge_scale(group.teacher, teacher_states_,
                          [this](std::int64_t row) { return teacher_row(row); }))};
    const double weight = group.share * config_.distillation_weight;
    float* gradient = want_gradients_ ? weighted : nullptr;
    if (!config_.hybrid || columns_.student.empty()) {
      std::fill_n(weighted, padded(widths_.student), 0.0F);
    }
    if (!config_.hybrid) {
      const ColumnSums sums = l1.compute(student, nullptr, teacher, scale(weight), gradient);
      result.distillation = sums.value * group.share;
      return sums.slope;
    }
    ColumnSums matched, unmatched;
    if (!columns_.student.empty()) {
      matched = matched_jsd(student, teacher, partner_.data(), config_.beta,
                            scale(weights_.matched * weight), gradient);
      for (const std::int64_t column : columns_.teacher) teacher.exponentials[column] = 0.0F;
    }
    if (weights_.compare_rest) {
      unmatched = l1.compute(student, partner_.data(), teacher, scale(weights_.unmatched * weight),
                             gradient);
    }
    result.matched = matched.value * group.share;
    result.unmatched = unmatched.value * group.share;
    result.distillation = weights_.matched * result.matched + weights_.unmatched * result.unmatched;
    return matched.slope + unmatched.slope;
  }

  void add_groups(LossTerms& terms) {
    is_base_.assign(student_states_.size(), false);
    for (std::size_t i = 0; i < group_results_.size(); ++i) {
      is_base_[static_cast<std::size_t>(chunk_->groups[i].student.base)] = true;
      terms.matched += group_results_[i].matched;
      terms.unmatched += group_results_[i].unmatched;
      terms.distillation += group_results_[i].distillation;
    }
    terms.groups += static_cast<std::int64_t>(group_results_.size());
  }

  // Replaces a row's exponentials by the gradient of its logits. `weighted` holds D of the group
  // that the row is the base of, `slope` its A.
  void finish_row(std::int64_t index, const float* weighted, double slope, ThreadScratch& thread) {
    RowState& state = student_state(index);
    float* row = student_row(index);
    float* gradient = thread.gradient.get(student_.stride());
    const std::int64_t width = widths_.student;
    const double temperature = student_temperature();
    const std::int32_t entropy_id = chunk_->entropy_ids[static_cast<std::size_t>(index)];
    const double entropy = entropy_id == kNoId ? 0.0 : entropy_weight(config_) * entropy_share_;
    const double total_slope = slope + state.slope - entropy;  // entropy: temperature is 1
    combine(weighted, row, static_cast<float>(-total_slope / state.sum),
            static_cast<float>(1.0 / temperature), width, gradient);
    std::fill(gradient + padded(width), gradient + student_.stride(), 0.0F);
    if (entropy_id != kNoId) gradient[entropy_id] -= static_cast<float>(entropy);
    if (state.factor_id != kNoId) {
      gradient[state.factor_id] += static_cast<float>(state.slope / temperature);
    }
    if (student_input_.logit_softcap) {
      uncap_gradient(gradient, row, width, state.max, static_cast<float>(temperature),
                     static_cast<float>(*student_input_.logit_softcap));
    }
    if (student_.takes_split_gradient()) {
      split_into_pairs(gradient, student_.stride(), reinterpret_cast<kernels::Pair*>(row));
    } else {
      std::copy_n(gradient, student_.stride(), row);
    }
  }

  const HeadInput& student_input_;
  const HeadInput& teacher_input_;
  const LossConfig& config_;
  FusedScratch& scratch_;
  HeadProducts student_, teacher_;
  Widths widths_;
  double entropy_share_;
  MatchedColumns columns_;
  HybridWeights weights_;
  std::vector<std::int32_t> partner_;  // [student stride] teacher column, or -1

  // Of the chunk in hand.
  const Chunk* chunk_ = nullptr;
  bool want_gradients_ = false;
  float* student_logits_ = nullptr;
  float* teacher_logits_ = nullptr;
  std::vector<RowState> student_states_, teacher_states_;
  std::vector<GroupResult> group_results_;
  std::vector<bool> is_base_;
};

}  // namespace

FusedLmHeadLoss::FusedLmHeadLoss() : scratch_(std::make_unique<FusedScratch>()) {}
FusedLmHeadLoss::~FusedLmHeadLoss() = default;

LossTerms FusedLmHeadLoss::compute(const std::vector<Row>& rows, const HeadInput& student,
                                   const HeadInput& teacher, const VocabularyPair& vocabulary,
                                   const WindowCounts& counts, const LossConfig& config,
                                   std::int64_t groups_per_chunk, const LossGradients& gradients) {
  const c10::NoGradGuard no_grad;
  LossTerms terms;
  FusedCall call(student, teacher, vocabulary, counts, config, *scratch_);
  for (const Chunk& chunk : plan_chunks(rows, counts, config, groups_per_chunk)) {
    call.run(chunk, gradients, terms);
  }
  terms.loss = total_loss(terms, config);
  return terms;
}

}  // namespace aurum::loss

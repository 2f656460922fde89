// GOLD's losses (General Online Logit Distillation; ULD: Boizard et al. 2024, arXiv:2402.12030;
// generalized JSD: Agarwal et al. 2024, arXiv:2306.13649).
//
//   JSD    beta KL(Q||M) + (1 - beta) KL(P||M),  M = beta Q + (1 - beta) P
//   ULD    (1/G) sum_g sum_r |sort(P_g)_r - sort(Q_g)_r|
//   hybrid w_m JSD on matched columns + w_u ULD on the others
//
// One description serves both forms: `plain` takes a row's groups at once with autograd's sort,
// `fused` takes them chunk by chunk from hidden states with a vectorised sort. Both differentiate
// a scalar with respect to the logits of the positions in hand, then go back through the head.

#include "loss/distillation_loss.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "loss/row_groups.h"
#include "loss/sorted_l1.h"

namespace aurum::loss {

namespace {

constexpr double kFloor = 1e-8;            // of factors and of matched probabilities
constexpr std::int64_t kHeadTile = 16384;  // head rows expanded at a time

struct Settings {
  const LossConfig& config;
  const WindowCounts& counts;
  at::ScalarType dtype;  // of the arithmetic
  bool fast_sort;
  std::int64_t groups_per_chunk;
  bool want_gradients;
};

// Columns of both sides that the hybrid loss pairs, and those it does not.
struct Columns {
  at::Tensor student_matched, teacher_matched, student_rest, teacher_rest;
  double matched_share = 0.0;
};

at::Tensor as_index(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

at::Tensor columns_besides(const std::vector<std::int64_t>& taken, std::int64_t width) {
  std::vector<bool> is_taken(static_cast<std::size_t>(width));
  for (const std::int64_t id : taken) is_taken[static_cast<std::size_t>(id)] = true;
  std::vector<std::int64_t> rest;
  for (std::int64_t id = 0; id < width; ++id) {
    if (!is_taken[static_cast<std::size_t>(id)]) rest.push_back(id);
  }
  return as_index(rest);
}

Columns make_columns(const VocabularyPair& vocabulary, std::int64_t student_width,
                     std::int64_t teacher_width) {
  std::vector<std::int64_t> student, teacher;
  for (const auto& [s, t] : vocabulary.matched) {
    if (s < 0 || t < 0 || s >= student_width || t >= teacher_width) {
      throw InputError(
          fmt::format("matched_ids: the pair ({}, {}) is outside the vocabularies of {} and {}", s,
                      t, student_width, teacher_width));
    }
    student.push_back(s);
    teacher.push_back(t);
  }
  return {
      .student_matched = as_index(student),
      .teacher_matched = as_index(teacher),
      .student_rest = columns_besides(student, student_width),
      .teacher_rest = columns_besides(teacher, teacher_width),
      .matched_share = static_cast<double>(student.size()) / static_cast<double>(teacher_width)};
}

// The head product for some positions: [n, vocab] in the arithmetic's dtype.
at::Tensor head_logits(const HeadInput& head, const at::Tensor& positions, at::ScalarType dtype,
                       bool exact) {
  const at::Tensor hidden = head.hidden.index_select(0, positions);
  at::Tensor logits;
  if (head.weight.defined()) {
    logits = exact ? at::mm(hidden.to(dtype), head.weight.to(dtype).t())
                   : at::mm(hidden, head.weight.t()).to(dtype);
  } else if (head.weight_rows) {
    logits = at::empty({hidden.size(0), head.vocab}, dtype);
    for (std::int64_t begin = 0; begin < head.vocab; begin += kHeadTile) {
      const std::int64_t end = std::min(head.vocab, begin + kHeadTile);
      logits.slice(1, begin, end).copy_(at::mm(hidden, head.weight_rows(begin, end).t()));
    }
  } else {
    logits = hidden.to(dtype);
  }
  if (head.logit_softcap) logits = at::tanh(logits / *head.logit_softcap) * *head.logit_softcap;
  return logits;
}

// Gathers the distinct positions that some groups read.
class PositionSet {
 public:
  explicit PositionSet(std::int64_t offset) : offset_(offset) {}
  std::int64_t add(std::int64_t position) {
    const auto [entry, is_new] =
        rows_.emplace(position, static_cast<std::int64_t>(positions_.size()));
    if (is_new) positions_.push_back(offset_ + position);
    return entry->second;
  }
  at::Tensor positions() const { return as_index(positions_); }

 private:
  std::int64_t offset_;
  std::map<std::int64_t, std::int64_t> rows_;
  std::vector<std::int64_t> positions_;
};

// Merged distributions of one side's groups, [groups, width].
//   probs [positions, width], in the order of `set`
at::Tensor merge_groups(const at::Tensor& probs, const std::vector<const GroupSide*>& sides,
                        PositionSet& set) {
  std::vector<std::int64_t> bases, factor_rows, factor_ids, factor_groups;
  for (std::size_t g = 0; g < sides.size(); ++g) {
    bases.push_back(set.add(sides[g]->base));
    for (const auto& [position, id] : sides[g]->factors) {
      factor_rows.push_back(set.add(position));
      factor_ids.push_back(id);
      factor_groups.push_back(static_cast<std::int64_t>(g));
    }
  }
  const at::Tensor base = probs.index_select(0, as_index(bases));
  if (factor_rows.empty()) return base;
  const at::Tensor log_factors =
      probs.index({as_index(factor_rows), as_index(factor_ids)}).clamp_min(kFloor).log();
  const at::Tensor sums = at::zeros({static_cast<std::int64_t>(sides.size())}, probs.options())
                              .index_add(0, as_index(factor_groups), log_factors);
  return base * sums.exp().unsqueeze(1);
}

// Registers every position that the sides read, without any tensor work.
void collect_positions(const std::vector<const GroupSide*>& sides, PositionSet& set) {
  for (const GroupSide* side : sides) {
    set.add(side->base);
    for (const auto& factor : side->factors) set.add(factor.first);
  }
}

at::Tensor divergence(const at::Tensor& p, const at::Tensor& q, const at::Tensor& log_p,
                      const at::Tensor& log_q, double beta) {
  if (beta == 0.0) return (q * (log_q - log_p)).sum();
  if (beta == 1.0) return (p * (log_p - log_q)).sum();
  const at::Tensor log_m = (beta * q + (1.0 - beta) * p).log();
  return beta * (q * (log_q - log_m)).sum() + (1.0 - beta) * (p * (log_p - log_m)).sum();
}

// A differentiable scalar, and the value to report where the two differ.
struct Scalar {
  at::Tensor tensor;
  double value = 0.0;
};

Scalar sorted_difference(const at::Tensor& p, const at::Tensor& q, bool fast) {
  if (!fast) {
    const at::Tensor sum = sorted_l1(p, q);
    return {sum, sum.item<double>()};
  }
  // The gradient is a constant sign per entry, so sum(p * sign) has the same gradient.
  const SortedL1 l1 = fast_sorted_l1(p.detach(), q);
  return {(p * l1.sign).sum(), l1.value};
}

class LossComputer {
 public:
  LossComputer(const HeadInput& student, const HeadInput& teacher, const VocabularyPair& vocabulary,
               const Settings& settings)
      : student_(student), teacher_(teacher), settings_(settings) {
    const bool all_columns = settings.config.compat_trl;
    student_width_ = all_columns ? student.vocab : std::min(student.vocab, vocabulary.student_size);
    teacher_width_ = all_columns ? teacher.vocab : std::min(teacher.vocab, vocabulary.teacher_size);
    if (settings.config.hybrid) columns_ = make_columns(vocabulary, student_width_, teacher_width_);
    if (!settings.want_gradients) return;
    result_.gradients.student_hidden =
        at::zeros(student.hidden.sizes(), student.hidden.options().dtype(settings.dtype));
    if (student.weight.defined()) {
      const auto dtype = settings.dtype == at::kDouble ? at::kDouble : at::kFloat;
      result_.gradients.student_weight = at::zeros(student.weight.sizes(), dtype);
    }
  }

  void add_row(const Row& row) {
    const LossConfig& config = settings_.config;
    if (config.use_uld_loss) {
      add_uld(row);
      if (config.crossentropy_weight > 0.0) add_cross_entropy(row);
    } else {
      add_jsd(row);
    }
    student_offset_ += static_cast<std::int64_t>(row.student.ids.size());
    teacher_offset_ += static_cast<std::int64_t>(row.teacher.ids.size());
  }

  LossResult finish() {
    LossTerms& terms = result_.terms;
    const LossConfig& config = settings_.config;
    terms.loss = terms.distillation;
    if (config.use_uld_loss) {
      terms.loss = config.distillation_weight * terms.distillation +
                   config.crossentropy_weight * terms.cross_entropy;
    }
    return std::move(result_);
  }

 private:
  // Calls body(begin, end) over [0, count) in chunks.
  template <typename Body>
  void for_chunks(std::int64_t count, Body body) const {
    for (std::int64_t begin = 0; begin < count; begin += settings_.groups_per_chunk) {
      body(begin, std::min(count, begin + settings_.groups_per_chunk));
    }
  }

  at::Tensor teacher_probs(const at::Tensor& positions, double temperature,
                           std::int64_t width) const {
    const c10::NoGradGuard no_grad;
    return (head_logits(teacher_, positions, settings_.dtype, !settings_.fast_sort)
                .slice(1, 0, width) /
            temperature)
        .softmax(1);
  }

  // Runs loss(logits) on the student's logits of some positions and takes its gradient back to the
  // hidden states and the head. `loss` returns what is to be differentiated, already divided.
  template <typename Loss>
  void differentiate(const at::Tensor& positions, Loss loss) {
    at::Tensor logits;
    {
      const c10::NoGradGuard no_grad;
      logits = head_logits(student_, positions, settings_.dtype, !settings_.fast_sort);
    }
    if (!settings_.want_gradients) {
      const c10::NoGradGuard no_grad;
      loss(logits);
      return;
    }
    logits.requires_grad_(true);
    {
      const c10::AutoGradMode grad(true);
      loss(logits).backward();
    }
    if (logits.grad().defined()) take_back(positions, logits.detach(), logits.grad());
  }

  void take_back(const at::Tensor& positions, const at::Tensor& logits, at::Tensor gradient) {
    const c10::NoGradGuard no_grad;
    if (student_.logit_softcap) {
      gradient = gradient * (1.0 - (logits / *student_.logit_softcap).pow(2));
    }
    at::Tensor& hidden_gradient = result_.gradients.student_hidden;
    if (!student_.weight.defined()) {
      hidden_gradient.index_add_(0, positions, gradient);
      return;
    }
    const at::Tensor hidden = student_.hidden.index_select(0, positions);
    hidden_gradient.index_add_(0, positions, at::mm(gradient, student_.weight.to(settings_.dtype)));
    at::Tensor& weight_gradient = result_.gradients.student_weight;
    weight_gradient.addmm_(gradient.t(), hidden.to(weight_gradient.scalar_type()));
  }

  void add_uld(const Row& row) {
    const std::vector<Group> groups = groups_of_row(row, settings_.config);
    const auto count = static_cast<std::int64_t>(groups.size());
    result_.terms.groups += count;
    for_chunks(count, [&](std::int64_t begin, std::int64_t end) {
      add_group_chunk({groups.begin() + begin, groups.begin() + end}, count);
    });
  }

  void add_group_chunk(const std::vector<Group>& groups, std::int64_t row_groups) {
    const LossConfig& config = settings_.config;
    std::vector<const GroupSide*> student_sides, teacher_sides;
    for (const Group& group : groups) {
      student_sides.push_back(&group.student);
      teacher_sides.push_back(&group.teacher);
    }
    PositionSet student_set(student_offset_), teacher_set(teacher_offset_);
    collect_positions(student_sides, student_set);
    collect_positions(teacher_sides, teacher_set);
    const at::Tensor q = merge_groups(
        teacher_probs(teacher_set.positions(), config.teacher_temperature, teacher_width_),
        teacher_sides, teacher_set);
    const double share =
        1.0 / (static_cast<double>(row_groups) * static_cast<double>(settings_.counts.rows));
    differentiate(student_set.positions(), [&](const at::Tensor& logits) {
      const at::Tensor probs =
          (logits.slice(1, 0, student_width_) / config.student_temperature).softmax(1);
      const at::Tensor p = merge_groups(probs, student_sides, student_set);
      return (config.hybrid ? hybrid(p, q, share) : plain_uld(p, q, share)) *
             config.distillation_weight;
    });
  }

  at::Tensor plain_uld(const at::Tensor& p, const at::Tensor& q, double share) {
    const Scalar l1 = sorted_difference(p, q, settings_.fast_sort);
    result_.terms.distillation += l1.value * share;
    return l1.tensor * share;
  }

  at::Tensor hybrid(const at::Tensor& p, const at::Tensor& q, double share) {
    const LossConfig& config = settings_.config;
    const double matched_weight = config.hybrid_matched_weight.value_or(columns_.matched_share);
    const double unmatched_weight =
        config.hybrid_unmatched_weight.value_or(1.0 - columns_.matched_share);
    at::Tensor total = at::zeros({}, p.options());
    if (columns_.student_matched.numel() > 0) {
      const at::Tensor ps = p.index_select(1, columns_.student_matched).clamp_min(kFloor);
      const at::Tensor qs = q.index_select(1, columns_.teacher_matched).clamp_min(kFloor);
      const at::Tensor matched = divergence(ps, qs, ps.log(), qs.log(), config.beta) * share;
      result_.terms.matched += matched.item<double>();
      result_.terms.distillation += matched_weight * matched.item<double>();
      total = total + matched_weight * matched;
    }
    const bool one_side_empty =
        columns_.student_rest.numel() == 0 || columns_.teacher_rest.numel() == 0;
    if (config.compat_trl && one_side_empty) return total;
    const Scalar l1 =
        sorted_difference(p.index_select(1, columns_.student_rest),
                          q.index_select(1, columns_.teacher_rest), settings_.fast_sort);
    result_.terms.unmatched += l1.value * share;
    result_.terms.distillation += unmatched_weight * l1.value * share;
    return total + unmatched_weight * share * l1.tensor;
  }

  void add_cross_entropy(const Row& row) {
    const auto tokens = predicted_tokens(row.student);
    const double share = 1.0 / static_cast<double>(settings_.counts.ce_tokens);
    for_chunks(static_cast<std::int64_t>(tokens.size()), [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int64_t> positions, ids;
      for (std::int64_t i = begin; i < end; ++i) {
        positions.push_back(student_offset_ + tokens[static_cast<std::size_t>(i)].first);
        ids.push_back(tokens[static_cast<std::size_t>(i)].second);
      }
      differentiate(as_index(positions), [&](const at::Tensor& logits) {
        const at::Tensor log_probs = logits.slice(1, 0, student_width_).log_softmax(1);
        const at::Tensor sum = -log_probs.gather(1, as_index(ids).unsqueeze(1)).sum() * share;
        result_.terms.cross_entropy += sum.template item<double>();
        return sum * settings_.config.crossentropy_weight;
      });
    });
  }

  void add_jsd(const Row& row) {
    const auto student = predicted_tokens(row.student), teacher = predicted_tokens(row.teacher);
    const auto count = static_cast<std::int64_t>(std::min(student.size(), teacher.size()));
    const std::int64_t width = std::min(student_width_, teacher_width_);
    const double temperature = settings_.config.temperature;
    const double share =
        1.0 / static_cast<double>(std::max<std::int64_t>(1, settings_.counts.jsd_positions));
    result_.terms.groups += count;
    for_chunks(count, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int64_t> student_positions, teacher_positions;
      for (std::int64_t i = begin; i < end; ++i) {
        student_positions.push_back(student_offset_ + student[static_cast<std::size_t>(i)].first);
        teacher_positions.push_back(teacher_offset_ + teacher[static_cast<std::size_t>(i)].first);
      }
      at::Tensor log_q;
      {
        const c10::NoGradGuard no_grad;
        log_q = (head_logits(teacher_, as_index(teacher_positions), settings_.dtype,
                             !settings_.fast_sort)
                     .slice(1, 0, width) /
                 temperature)
                    .log_softmax(1);
      }
      differentiate(as_index(student_positions), [&](const at::Tensor& logits) {
        const at::Tensor log_p = (logits.slice(1, 0, width) / temperature).log_softmax(1);
        const at::Tensor sum = jsd_from_logs(log_p, log_q) * share;
        result_.terms.distillation += sum.template item<double>();
        return sum;
      });
    });
  }

  // Stays finite for logits of +-1e4: the mixture is taken in the log domain.
  at::Tensor jsd_from_logs(const at::Tensor& log_p, const at::Tensor& log_q) const {
    const double beta = settings_.config.beta;
    const at::Tensor p = log_p.exp(), q = log_q.exp();
    if (beta == 0.0 || beta == 1.0) return divergence(p, q, log_p, log_q, beta);
    const at::Tensor log_m = at::logaddexp(log_q + std::log(beta), log_p + std::log1p(-beta));
    return beta * (q * (log_q - log_m)).sum() + (1.0 - beta) * (p * (log_p - log_m)).sum();
  }

  const HeadInput& student_;
  const HeadInput& teacher_;
  const Settings& settings_;
  std::int64_t student_width_ = 0, teacher_width_ = 0;
  Columns columns_;
  std::int64_t student_offset_ = 0, teacher_offset_ = 0;
  LossResult result_;
};

LossResult compute(const std::vector<Row>& rows, const HeadInput& student, const HeadInput& teacher,
                   const VocabularyPair& vocabulary, const Settings& settings) {
  LossComputer computer(student, teacher, vocabulary, settings);
  for (const Row& row : rows) computer.add_row(row);
  return computer.finish();
}

}  // namespace

LossResult plain_loss(const std::vector<Row>& rows, const HeadInput& student,
                      const HeadInput& teacher, const VocabularyPair& vocabulary,
                      const WindowCounts& counts, const LossConfig& config, bool use_float64,
                      bool want_gradients) {
  const Settings settings{
      config,        counts, use_float64 ? at::kDouble : at::kFloat, false, std::int64_t{1} << 40,
      want_gradients};
  return compute(rows, student, teacher, vocabulary, settings);
}

LossResult fused_loss(const std::vector<Row>& rows, const HeadInput& student,
                      const HeadInput& teacher, const VocabularyPair& vocabulary,
                      const WindowCounts& counts, const LossConfig& config,
                      std::int64_t groups_per_chunk, bool want_gradients) {
  const Settings settings{
      config,        counts, at::kFloat, true, std::max<std::int64_t>(1, groups_per_chunk),
      want_gradients};
  return compute(rows, student, teacher, vocabulary, settings);
}

}  // namespace aurum::loss

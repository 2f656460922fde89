#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "base/log.h"
#include "train/frozen_layers.h"

namespace aurum::train {

namespace {

template <typename Side>
model::PackedBatch pack(const std::vector<loss::Row>& rows, Side side) {
  model::PackedBatch batch;
  for (const loss::Row& row : rows) batch.add_row(std::invoke(side, row).ids);
  return batch;
}

// The loss computes on the CPU, wherever the models are.
loss::HeadInput frozen_head(model::CausalLm& model, const at::Tensor& hidden) {
  return {.hidden = hidden.cpu(),
          .weight_rows = [&model](std::int64_t begin,
                                  std::int64_t end) { return model.head_rows(begin, end).cpu(); },
          .vocab = model.config().vocab_size,
          .logit_softcap = model.config().final_logit_softcap};
}

loss::HeadInput trained_head(model::CausalLm& model, const at::Tensor& hidden) {
  return {.hidden = hidden.detach().cpu(),
          .weight = model.head_weight().detach().cpu(),
          .vocab = model.config().vocab_size,
          .logit_softcap = model.config().final_logit_softcap};
}

}  // namespace

Trainer::Trainer(TrainerConfig config, TrainerParts parts, TrainerEvents events)
    : config_(std::move(config)),
      parts_(parts),
      events_(std::move(events)),
      windows_(config_, parts),
      optimizer_(freeze_layers(parts.student.parameters(), config_.frozen_layers),
                 config_.optimizer),
      held_out_(config_.eval_steps > 0 ? parts.eval_examples : std::vector<data::Example>(),
                parts.rows, config_.eval_batch_size) {
  if (config_.plateau) plateau_.emplace(*config_.plateau, config_.schedule.peak);
}

std::int64_t Trainer::steps_per_epoch() const {
  return config_.steps_per_epoch(static_cast<std::int64_t>(parts_.train_examples.size()));
}

void Trainer::run(Progress progress) {
  progress_ = progress;
  if (plateau_ && progress.plateau) plateau_->resume(*progress.plateau);
  if (progress.num_steps == 0) {
    sample_completions("before", 0);
    if (config_.eval_steps > 0) evaluate();
  }
  StepTotals since_last_log;
  while (progress_.num_steps < config_.max_steps) {
    since_last_log.add(step(progress_.num_steps));
    const std::int64_t done = progress_.num_steps;
    const bool last = done == config_.max_steps;
    const auto is_due = [&](std::int64_t every) {
      return every > 0 && (last || done % every == 0);
    };
    const bool is_first = config_.logs_first_step && done == 1;
    if (is_first || is_due(config_.logging_steps)) report(std::exchange(since_last_log, {}));
    if (is_due(config_.eval_steps)) follow(evaluate());
    const bool stop = !last && events_.should_stop && events_.should_stop();
    if (is_due(config_.save_steps) || (stop && config_.save_steps > 0)) {
      events_.on_checkpoint(progress_);
    }
    if (stop) throw Interrupted(fmt::format("stopped after step {}", done));
  }
  sample_completions("after", config_.max_steps);
}

StepTotals Trainer::step(std::int64_t step_index) {
  StepTotals totals{.steps = 1};
  {
    const PhaseTimer timer(totals, "total");
    std::vector<MicroBatch> window = windows_.choose_examples(step_index);
    windows_.roll_out(window, step_index, totals);
    windows_.build_rows(window, totals);
    const loss::WindowCounts counts = count_window(window);
    for (MicroBatch& batch : window) train_on(batch, counts, totals);
    update_weights(step_index, totals);
  }
  progress_ = {.num_steps = step_index + 1,
               .num_input_tokens_seen = progress_.num_input_tokens_seen + totals.tokens,
               .plateau = progress_.plateau};
  return totals;
}

void Trainer::update_weights(std::int64_t step_index, StepTotals& totals) {
  const PhaseTimer timer(totals, "optimizer");
  gradient_norm_ = optimizer_.gradient_norm();
  if (!std::isfinite(gradient_norm_) || !std::isfinite(totals.terms.loss)) {
    throw InputError(fmt::format(
        "step {}: the loss is {} and the gradient norm {}; lower training.learning_rate or look "
        "at the rows of this step",
        step_index + 1, totals.terms.loss, gradient_norm_));
  }
  const double limit = config_.max_grad_norm;
  learning_rate_ = plateau_ ? plateau_->rate() : config_.schedule.at(step_index);
  const bool clips = limit > 0 && gradient_norm_ > limit;
  optimizer_.step(learning_rate_, clips ? limit / (gradient_norm_ + 1e-6) : 1.0);
  parts_.rollouts.sync_weights();
}

void Trainer::report(const StepTotals& totals) {
  telemetry::StepMetrics metrics = totals.metrics(config_.loss);
  metrics.step = progress_.num_steps;
  metrics.epoch = static_cast<double>(progress_.num_steps) / static_cast<double>(steps_per_epoch());
  metrics.grad_norm = gradient_norm_;
  metrics.learning_rate = learning_rate_;
  metrics.num_input_tokens_seen = progress_.num_input_tokens_seen;
  events_.on_metrics(metrics);
}

at::Tensor Trainer::student_hidden(const std::vector<loss::Row>& rows) {
  return parts_.student.hidden_states(pack(rows, &loss::Row::student));
}

at::Tensor Trainer::teacher_hidden(const std::vector<loss::Row>& rows, StepTotals& totals) {
  const PhaseTimer timer(totals, "teacher");
  const c10::NoGradGuard no_grad;
  return parts_.teacher.hidden_states(pack(rows, &loss::Row::teacher));
}

loss::LossTerms Trainer::compute_loss(const Comparison& of, StepTotals& totals) {
  const PhaseTimer timer(totals, "loss");
  const c10::NoGradGuard no_grad;
  const loss::HeadInput teacher = of.teacher_hidden.defined()
                                      ? frozen_head(parts_.teacher, of.teacher_hidden)
                                      : loss::HeadInput();
  const loss::LossTerms terms =
      loss_.compute(of.rows, trained_head(parts_.student, of.hidden), teacher, parts_.vocabulary,
                    of.counts, of.config, config_.groups_per_chunk, of.gradients);
  totals.terms += terms;
  return terms;
}

void Trainer::train_on(MicroBatch& batch, const loss::WindowCounts& counts, StepTotals& totals) {
  if (batch.rows.empty()) return;
  const loss::LossConfig& config = *batch.loss_config;
  at::Tensor hidden, teacher;
  {
    const PhaseTimer timer(totals, "student");
    parts_.student.set_dropout_draw(batch.index);
    hidden = student_hidden(batch.rows);
  }
  totals.tokens += hidden.size(0);
  if (!config.sequence_level) teacher = teacher_hidden(batch.rows, totals);
  const loss::LossGradients gradients = gradient_sums(hidden);
  const loss::LossTerms terms = compute_loss({.rows = batch.rows,
                                              .hidden = hidden,
                                              .teacher_hidden = teacher,
                                              .counts = counts,
                                              .config = config,
                                              .gradients = gradients},
                                             totals);
  {
    const PhaseTimer timer(totals, "student");
    run_backward(hidden, gradients.student_hidden);
    parts_.student.set_dropout_draw(std::nullopt);
  }
  const auto units = [&](const loss::WindowCounts& of) {
    if (config.sequence_level) return of.ce_tokens;
    return config.use_uld_loss ? of.rows : of.jsd_positions;
  };
  StepTotals::Policy& policy = batch.on_policy ? totals.on_policy : totals.off_policy;
  policy.weighted_loss += terms.loss * static_cast<double>(units(counts));
  policy.units += units(loss::count_window(batch.rows, config));
}

// The head's gradient goes straight into the window's sum; a frozen head gets none.
loss::LossGradients Trainer::gradient_sums(const at::Tensor& hidden) {
  loss::LossGradients gradients{.student_hidden = at::zeros(hidden.sizes(), at::kFloat)};
  const at::Tensor head = parts_.student.head_weight();
  if (head.requires_grad()) gradients.student_weight = optimizer_.gradient_sum(head);
  return gradients;
}

void Trainer::run_backward(const at::Tensor& hidden, const at::Tensor& gradient) {
  hidden.backward(gradient.to(hidden.device(), hidden.scalar_type()));
  optimizer_.accumulate_gradients();
}

}  // namespace aurum::train

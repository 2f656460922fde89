#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random_stream.h"
#include "loss/row_groups.h"
#include "train/frozen_layers.h"

namespace aurum::train {

namespace {

// Random streams of the teacher's answers, apart from those of rollouts.
constexpr std::uint64_t kTeacherStreams = std::uint64_t{1} << 63;

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

// How many aligned groups the rows have, and how many of them hold more than one token on a side.
void count_groups(const std::vector<loss::Row>& rows, const loss::LossConfig& config,
                  StepTotals& totals) {
  for (const loss::Row& row : rows) {
    for (const loss::Group& group : loss::groups_of_row(row, config)) {
      ++totals.groups;
      const bool is_multi = !group.student.factors.empty() || !group.teacher.factors.empty();
      totals.multi_token_groups += is_multi ? 1 : 0;
    }
  }
}

}  // namespace

struct Trainer::MicroBatch {
  std::uint64_t index = 0;  // over the whole run
  bool on_policy = false;
  std::vector<const data::Example*> examples;
  std::vector<std::vector<std::int32_t>> prompts;  // of the model that answers
  std::vector<rollout::Rollout> rollouts;          // none where given answers are used
  std::vector<loss::Row> rows;
};

Trainer::Trainer(TrainerConfig config, TrainerParts parts, TrainerEvents events)
    : config_(std::move(config)),
      sequence_loss_(config_.loss),
      parts_(parts),
      events_(std::move(events)),
      optimizer_(freeze_layers(parts.student.parameters(), config_.frozen_layers),
                 config_.optimizer),
      held_out_(config_.eval_steps > 0 ? parts.eval_examples : std::vector<data::Example>(),
                parts.rows, config_.eval_batch_size) {
  sequence_loss_.sequence_level = true;
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
    std::vector<MicroBatch> window = choose_examples(step_index);
    roll_out(window, step_index, totals);
    build_rows(window, totals);
    const loss::WindowCounts counts = count(window);
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

std::size_t Trainer::example_index(std::int64_t position) const {
  const auto size = static_cast<std::int64_t>(parts_.train_examples.size());
  const std::int64_t epoch = position / size;
  if (epoch != shuffled_epoch_) {
    order_.resize(static_cast<std::size_t>(size));
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    RandomStream stream(config_.data_seed, "shuffle", static_cast<std::uint64_t>(epoch));
    for (std::size_t i = order_.size(); i > 1; --i)
      std::swap(order_[i - 1], order_[stream.uniform_below(i)]);
    shuffled_epoch_ = epoch;
  }
  return order_[static_cast<std::size_t>(position % size)];
}

std::vector<Trainer::MicroBatch> Trainer::choose_examples(std::int64_t step_index) const {
  RandomStream policy(config_.seed, "on_policy", static_cast<std::uint64_t>(step_index));
  std::vector<MicroBatch> window(static_cast<std::size_t>(config_.accumulation_steps));
  std::int64_t row = step_index * config_.rows_per_step();
  auto index = static_cast<std::uint64_t>(step_index * config_.accumulation_steps);
  for (MicroBatch& batch : window) {
    batch.index = index++;
    batch.on_policy = policy.uniform() < config_.lmbda;
    for (std::int64_t i = 0; i < config_.batch_size; ++i) {
      const std::int64_t position = row++ / config_.num_generations;
      batch.examples.push_back(&parts_.train_examples[example_index(position)]);
    }
  }
  return window;
}

const loss::LossConfig& Trainer::loss_of(const MicroBatch& batch) const {
  return config_.seq_kd && !batch.on_policy ? sequence_loss_ : config_.loss;
}

void Trainer::roll_out(std::vector<MicroBatch>& window, std::int64_t step_index,
                       StepTotals& totals) {
  const PhaseTimer timer(totals, "rollout");
  std::vector<rollout::RolloutRequest> student_requests, teacher_requests;
  auto stream = static_cast<std::uint64_t>(step_index * config_.rows_per_step());
  for (MicroBatch& batch : window) {
    for (std::size_t i = 0; i < batch.examples.size(); ++i, ++stream) {
      if (!batch.on_policy && !config_.seq_kd) continue;
      rollout::RolloutRequest request = request_of(batch, i, stream);
      batch.prompts.push_back(request.prompt_ids);
      (batch.on_policy ? student_requests : teacher_requests).push_back(std::move(request));
    }
  }
  answer(window, true, student_requests, totals);
  answer(window, false, teacher_requests, totals);
}

// A student's sample belongs to its row of the run. The teacher does not change: its answers belong
// to the example and the row's place among num_generations, so that later epochs find them again.
rollout::RolloutRequest Trainer::request_of(const MicroBatch& batch, std::size_t index,
                                            std::uint64_t stream) const {
  const data::Example& example = *batch.examples[index];
  rollout::RolloutRequest request;
  request.sampling = config_.sampling;
  request.seed = config_.seed;
  if (batch.on_policy) {
    request.prompt_ids = parts_.rows.rollout_prompt(example);
    request.stream_index = stream;
    return request;
  }
  const auto copies = static_cast<std::uint64_t>(config_.num_generations);
  const auto number = static_cast<std::uint64_t>(&example - parts_.train_examples.data());
  request.sampling.regex.clear();  // it binds rollouts, no given answers
  request.prompt_ids = parts_.rows.teacher_prompt(example);
  request.stream_index = kTeacherStreams + number * copies + stream % copies;
  return request;
}

void Trainer::answer(std::vector<MicroBatch>& window, bool on_policy,
                     const std::vector<rollout::RolloutRequest>& requests, StepTotals& totals) {
  if (requests.empty()) return;
  rollout::RolloutSource& source = on_policy ? parts_.rollouts : *parts_.teacher_rollouts;
  std::vector<rollout::Rollout> answers = source.generate(requests);
  source.sleep();
  std::size_t next = 0;
  for (MicroBatch& batch : window) {
    if (batch.on_policy != on_policy) continue;
    for (std::size_t i = 0; i < batch.prompts.size(); ++i, ++next) {
      totals.completion_tokens += static_cast<std::int64_t>(answers[next].completion_ids.size());
      totals.cut_off += answers[next].finish_reason == rollout::FinishReason::kLength ? 1 : 0;
      ++totals.rollouts;
      batch.rollouts.push_back(std::move(answers[next]));
    }
  }
}

void Trainer::build_rows(std::vector<MicroBatch>& window, StepTotals& totals) {
  for (MicroBatch& batch : window) {
    for (std::size_t i = 0; i < batch.examples.size(); ++i) {
      const data::Example& example = *batch.examples[i];
      if (batch.on_policy) {
        batch.rows.push_back(
            parts_.rows.from_rollout(example, batch.prompts[i], batch.rollouts[i]));
      } else if (config_.seq_kd) {
        batch.rows.push_back(parts_.rows.from_teacher_answer(example, batch.rollouts[i]));
      } else if (auto row = parts_.rows.from_answer(example)) {
        batch.rows.push_back(std::move(*row));
      }
    }
    const loss::LossConfig& config = loss_of(batch);
    if (config.use_uld_loss && !config.sequence_level) count_groups(batch.rows, config, totals);
  }
}

loss::WindowCounts Trainer::count(const std::vector<MicroBatch>& window) const {
  loss::WindowCounts counts;
  for (const MicroBatch& batch : window) counts += loss::count_window(batch.rows, loss_of(batch));
  return counts;
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
  const loss::LossConfig& config = loss_of(batch);
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

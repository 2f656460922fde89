// The part of the trainer that looks at the student without changing it.

#include <algorithm>

#include <c10/core/GradMode.h>

#include "train/trainer.h"

namespace aurum::train {

namespace {

constexpr std::int64_t kNumSamples = 4;

}  // namespace

void Trainer::follow(double evaluation_loss) {
  if (!plateau_) return;
  plateau_->observe(evaluation_loss);
  progress_.plateau = plateau_->state();
}

double Trainer::evaluate() {
  const c10::NoGradGuard no_grad;
  const loss::WindowCounts counts = loss::count_window(held_out_.all_rows(), config_.loss);
  StepTotals totals{.steps = 1};
  {
    const PhaseTimer timer(totals, "total");
    for (HeldOutRows::Batch& batch : held_out_.batches()) {
      const at::Tensor teacher = batch.teacher_hidden.defined()
                                     ? batch.teacher_hidden
                                     : held_out_.keep(batch, teacher_hidden(batch.rows, totals));
      const at::Tensor hidden = student_hidden(batch.rows);
      totals.tokens += hidden.size(0);
      compute_loss({.rows = batch.rows,
                    .hidden = hidden,
                    .teacher_hidden = teacher,
                    .counts = counts,
                    .config = config_.loss},
                   totals);
    }
  }
  telemetry::StepMetrics metrics = totals.metrics(config_.loss);
  metrics.is_evaluation = true;
  metrics.step = progress_.num_steps;
  metrics.epoch = static_cast<double>(progress_.num_steps) / static_cast<double>(steps_per_epoch());
  metrics.num_input_tokens_seen = progress_.num_input_tokens_seen;
  events_.on_metrics(metrics);
  return totals.terms.loss;
}

void Trainer::sample_completions(const std::string& phase, std::int64_t step_index) {
  if (!events_.on_completion) return;
  const auto& examples =
      parts_.eval_examples.empty() ? parts_.train_examples : parts_.eval_examples;
  std::vector<rollout::RolloutRequest> requests;
  rollout::SamplingParams greedy = config_.sampling;
  greedy.temperature = 0.0;
  for (std::size_t i = 0; i < std::min<std::size_t>(kNumSamples, examples.size()); ++i) {
    requests.push_back({.prompt_ids = parts_.rows.rollout_prompt(examples[i]), .sampling = greedy});
  }
  const std::vector<rollout::Rollout> answers = parts_.rollouts.generate(requests);
  parts_.rollouts.sleep();
  const text::Tokenizer& tokenizer = *parts_.rows.student().tokenizer;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const bool ended = answers[i].finish_reason == rollout::FinishReason::kEndOfTurn;
    events_.on_completion({.step = step_index,
                           .phase = phase,
                           .prompt = tokenizer.decode(requests[i].prompt_ids, true),
                           .completion = tokenizer.decode(answers[i].completion_ids, true),
                           .finish_reason = ended ? "eos" : "length"});
  }
}

}  // namespace aurum::train

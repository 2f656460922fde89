#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/example.h"
#include "loss/distillation_loss.h"
#include "loss/fused_lm_head_loss.h"
#include "model/causal_lm.h"
#include "rollout/rollout_source.h"
#include "telemetry/step_metrics.h"
#include "train/held_out_rows.h"
#include "train/lr_schedule.h"
#include "train/optimizer.h"
#include "train/row_builder.h"
#include "train/step_totals.h"

namespace aurum::train {

struct TrainerConfig {
  std::int64_t batch_size = 8;  // rows per micro-batch
  std::int64_t eval_batch_size = 8;
  std::int64_t accumulation_steps = 1;
  std::int64_t num_generations = 1;  // rows per prompt, next to each other; divides rows_per_step()
  std::int64_t max_steps = 1;
  double lmbda = 0.5;
  std::uint64_t seed = 42, data_seed = 42;
  double max_grad_norm = 1.0;  // 0 = no clipping
  std::int64_t logging_steps = 50;
  bool logs_first_step = false;
  std::int64_t eval_steps = 0;  // 0 = no evaluation
  std::int64_t save_steps = 0;  // 0 = no checkpoints
  std::int64_t groups_per_chunk = 96;
  rollout::SamplingParams sampling;
  loss::LossConfig loss;
  // Sequence-level KD: off-policy micro-batches take the teacher's own answers, and cross entropy.
  bool seq_kd = false;
  LrSchedule schedule;
  std::optional<PlateauConfig> plateau;  // in place of the schedule
  OptimizerConfig optimizer;
  std::vector<std::string> frozen_layers;  // see freeze_layers()

  std::int64_t rows_per_step() const { return batch_size * accumulation_steps; }
  // Steps that see `num_examples` prompts once.
  std::int64_t steps_per_epoch(std::int64_t num_examples) const {
    return std::max<std::int64_t>(1, num_examples * num_generations / rows_per_step());
  }
};

// What the trainer works with; all of it outlives the trainer.
struct TrainerParts {
  model::CausalLm& student;
  model::CausalLm& teacher;
  rollout::RolloutSource& rollouts;
  rollout::RolloutSource* teacher_rollouts;  // with seq_kd
  const RowBuilder& rows;
  const loss::VocabularyPair& vocabulary;
  const std::vector<data::Example>& train_examples;
  const std::vector<data::Example>& eval_examples;
};

// How far a run is.
struct Progress {
  std::int64_t num_steps = 0;
  std::int64_t num_input_tokens_seen = 0;
  std::optional<PlateauState> plateau;
};

// What the trainer tells the world; it never waits for an answer.
struct TrainerEvents {
  std::function<void(const telemetry::StepMetrics&)> on_metrics;
  std::function<void(const telemetry::CompletionSample&)> on_completion;
  std::function<void(const Progress&)> on_checkpoint;  // time to write checkpoint-<num_steps>
  std::function<bool()> should_stop;  // true: stop after this step, with a checkpoint
};

// GOLD on one machine. Everything random is a function of the seeds and the step number, so the
// optimizer's state and the step number are all that a checkpoint must hold.
class Trainer {
 public:
  Trainer(TrainerConfig config, TrainerParts parts, TrainerEvents events);

  // Continues after what `progress` says is done; {} for a fresh run.
  void run(Progress progress);

  Optimizer& optimizer() { return optimizer_; }
  const Progress& progress() const { return progress_; }
  std::int64_t steps_per_epoch() const;
  // Greedy completions of the first held-out prompts, for before-and-after samples.
  void sample_completions(const std::string& phase, std::int64_t step);

 private:
  struct MicroBatch;
  // What one call of the loss compares.
  struct Comparison {
    const std::vector<loss::Row>& rows;
    const at::Tensor& hidden;
    const at::Tensor& teacher_hidden;  // undefined where the loss needs no teacher
    const loss::WindowCounts& counts;
    const loss::LossConfig& config;
    loss::LossGradients gradients = {};  // to add to
  };

  StepTotals step(std::int64_t step_index);
  std::vector<MicroBatch> choose_examples(std::int64_t step_index) const;
  const loss::LossConfig& loss_of(const MicroBatch& batch) const;
  void roll_out(std::vector<MicroBatch>& window, std::int64_t step_index, StepTotals& totals);
  rollout::RolloutRequest request_of(const MicroBatch& batch, std::size_t index,
                                     std::uint64_t stream) const;
  void answer(std::vector<MicroBatch>& window, bool on_policy,
              const std::vector<rollout::RolloutRequest>& requests, StepTotals& totals);
  void build_rows(std::vector<MicroBatch>& window, StepTotals& totals);
  loss::WindowCounts count(const std::vector<MicroBatch>& window) const;
  void train_on(MicroBatch& batch, const loss::WindowCounts& counts, StepTotals& totals);
  loss::LossGradients gradient_sums(const at::Tensor& hidden);
  void run_backward(const at::Tensor& hidden, const at::Tensor& gradient);
  void update_weights(std::int64_t step_index, StepTotals& totals);
  at::Tensor student_hidden(const std::vector<loss::Row>& rows);
  at::Tensor teacher_hidden(const std::vector<loss::Row>& rows, StepTotals& totals);
  loss::LossTerms compute_loss(const Comparison& of, StepTotals& totals);
  void report(const StepTotals& totals);
  double evaluate();  // returns the loss
  void follow(double evaluation_loss);
  std::size_t example_index(std::int64_t position) const;

  TrainerConfig config_;
  loss::LossConfig sequence_loss_;  // of off-policy micro-batches with seq_kd
  TrainerParts parts_;
  TrainerEvents events_;
  Optimizer optimizer_;
  loss::FusedLmHeadLoss loss_;
  Progress progress_;
  HeldOutRows held_out_;
  std::optional<PlateauSchedule> plateau_;
  double gradient_norm_ = 0.0, learning_rate_ = 0.0;  // of the last update
  mutable std::int64_t shuffled_epoch_ = -1;
  mutable std::vector<std::size_t> order_;
};

}  // namespace aurum::train

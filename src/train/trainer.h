#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "telemetry/step_metrics.h"
#include "train/held_out_rows.h"
#include "train/step_totals.h"
#include "train/trainer_config.h"
#include "train/window_builder.h"

namespace aurum::train {

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
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Continues after what `progress` says is done; {} for a fresh run.
  void run(Progress progress);

  Optimizer& optimizer() { return optimizer_; }
  const Progress& progress() const { return progress_; }
  std::int64_t steps_per_epoch() const;
  // Greedy completions of the first held-out prompts, for before-and-after samples.
  void sample_completions(const std::string& phase, std::int64_t step);

 private:
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

  TrainerConfig config_;
  TrainerParts parts_;
  TrainerEvents events_;
  WindowBuilder windows_;
  Optimizer optimizer_;
  loss::FusedLmHeadLoss loss_;
  Progress progress_;
  HeldOutRows held_out_;
  std::optional<PlateauSchedule> plateau_;
  double gradient_norm_ = 0.0, learning_rate_ = 0.0;  // of the last update
};

}  // namespace aurum::train

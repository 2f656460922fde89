#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/example.h"
#include "loss/distillation_loss.h"
#include "loss/fused_lm_head_loss.h"
#include "model/causal_lm.h"
#include "rollout/rollout_source.h"
#include "train/lr_schedule.h"
#include "train/optimizer.h"
#include "train/row_builder.h"

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

}  // namespace aurum::train

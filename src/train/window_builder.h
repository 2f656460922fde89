#pragma once

#include <cstdint>
#include <vector>

#include "train/step_totals.h"
#include "train/trainer_config.h"

namespace aurum::train {

// What is trained on together: on-policy, on the student's samples, or off-policy, on given answers
// (with seq_kd, the teacher's).
struct MicroBatch {
  std::uint64_t index = 0;  // over the whole run
  bool on_policy = false;
  const loss::LossConfig* loss_config = nullptr;
  std::vector<const data::Example*> examples;
  std::vector<std::vector<std::int32_t>> prompts;  // of the model that answers
  std::vector<rollout::Rollout> rollouts;          // none where given answers are used
  std::vector<loss::Row> rows;
};

// Each epoch's examples in an order of its own.
class ExampleOrder {
 public:
  ExampleOrder(std::size_t num_examples, std::uint64_t seed) : order_(num_examples), seed_(seed) {}

  // Which example stands at `position` of the run.
  std::size_t at(std::int64_t position);

 private:
  std::vector<std::size_t> order_;  // of shuffled_epoch_
  std::uint64_t seed_;
  std::int64_t shuffled_epoch_ = -1;
};

// Turns a step number into the rows of its window, the micro-batches that share one update.
class WindowBuilder {
 public:
  // Both outlive this object.
  WindowBuilder(const TrainerConfig& config, const TrainerParts& parts);

  // Which examples, and which micro-batches are on-policy: one draw each.
  std::vector<MicroBatch> choose_examples(std::int64_t step_index);
  // All on-policy prompts in one call to the student's source; with seq_kd all others in one call
  // to the teacher's.
  void roll_out(std::vector<MicroBatch>& window, std::int64_t step_index, StepTotals& totals) const;
  void build_rows(std::vector<MicroBatch>& window, StepTotals& totals) const;

 private:
  rollout::RolloutRequest request_of(const MicroBatch& batch, std::size_t index,
                                     std::uint64_t stream) const;
  void answer(std::vector<MicroBatch>& window, bool on_policy,
              const std::vector<rollout::RolloutRequest>& requests, StepTotals& totals) const;

  const TrainerConfig& config_;
  loss::LossConfig sequence_loss_;  // of off-policy micro-batches with seq_kd
  const TrainerParts parts_;
  ExampleOrder order_;
};

// The denominators of all rows together.
loss::WindowCounts count_window(const std::vector<MicroBatch>& window);

}  // namespace aurum::train

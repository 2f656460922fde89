#pragma once

#include <memory>

#include "cli/training_models.h"
#include "rollout/rollout_source.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::cli {

// Where the student's samples come from. `student` must outlive the result.
std::unique_ptr<rollout::RolloutSource> make_student_rollouts(
    model::CausalLm& student, const config::TrainingConfig& config,
    const std::shared_ptr<const text::Tokenizer>& tokenizer);

// The teacher's answers of training.gold.seq_kd, kept in the run folder; null without it.
std::unique_ptr<rollout::RolloutSource> make_teacher_rollouts(const TrainingModelFiles& files,
                                                              const config::TrainingConfig& config,
                                                              const text::Tokenizer& tokenizer);

}  // namespace aurum::cli

#pragma once

#include <memory>

#include "config/training_config.h"
#include "model/causal_lm.h"

namespace aurum::cli {

// The files of a run's models, opened and checked. `adapter` is what training.use_peft goes on
// from; `teacher` is null when it is the student without its adapter.
struct TrainingModelFiles {
  std::shared_ptr<const weights::Checkpoint> student, teacher;
  std::shared_ptr<const weights::LoraAdapter> adapter;
};

struct TrainingModels {
  std::unique_ptr<model::CausalLm> student, teacher;
};

// What training.gold.teacher_model_init_kwargs asks for.
model::ComputeDType teacher_dtype(const config::GoldParams& gold);

// Opens model.model_name, with model.adapter_model added in unless that is trained on, and the
// teacher.
TrainingModelFiles open_training_models(const config::TrainingConfig& config);

// The student to train, whole or by an adapter, and the frozen teacher.
TrainingModels load_training_models(const TrainingModelFiles& files,
                                    const config::TrainingConfig& config);

}  // namespace aurum::cli

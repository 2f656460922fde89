#pragma once

#include <string>

#include "config/field.h"
#include "config/training_config.h"

namespace aurum::config {

// What becomes of an argument in training.trainer_kwargs, by the name it has in TRL's GOLDConfig.
struct TrainerArgument {
  Effect effect = Effect::kActs;
  std::string note;
};

// nullptr for a name that GOLDConfig does not have.
const TrainerArgument* find_trainer_argument(const std::string& name);

// Hands num_generations, uld_token_merge_strategy, max_length and the guided regex of
// training.trainer_kwargs to their own keys; model.model_max_length beats max_length with a
// warning. Does nothing for a trainer other than TRL_GOLD. Throws ConfigError for a name that
// GOLDConfig does not have, one that Oumi sets from a key of its own, or a value that contradicts
// the key it stands for.
void apply_trainer_kwargs(TrainingConfig& config);

}  // namespace aurum::config

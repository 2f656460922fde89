#pragma once

#include "config/training_config.h"
#include "loss/distillation_loss.h"

namespace aurum::cli {

// What training.gold.* means for the loss.
loss::LossConfig loss_config(const config::GoldParams& gold);

// Whether given answers are replaced by the teacher's own, under cross entropy. TRL accepts the
// flag and does nothing, and so does compat: trl.
bool uses_sequence_level_kd(const config::GoldParams& gold);

}  // namespace aurum::cli

#pragma once

#include "config/training_config.h"
#include "loss/distillation_loss.h"

namespace aurum::cli {

// What training.gold.* means for the loss.
loss::LossConfig loss_config(const config::GoldParams& gold);

}  // namespace aurum::cli

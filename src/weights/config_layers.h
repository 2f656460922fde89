#pragma once

#include "weights/config_keys.h"
#include "weights/model_config.h"

namespace aurum::weights {

// What differs between the layers of one model: which have a window, and which have positions.
void read_windows(const ConfigKeys& keys, ModelConfig& config);
void read_positions(const ConfigKeys& keys, ModelConfig& config);

}  // namespace aurum::weights

#pragma once

#include "weights/config_keys.h"
#include "weights/model_config.h"

namespace aurum::weights {

// Reads the rotary parameters of config.json in both dialects: rope_theta with rope_scaling, and
// rope_parameters, whole or by layer type.
void read_ropes(const ConfigKeys& top, ModelConfig& config, double default_theta);

}  // namespace aurum::weights

#pragma once

#include <cstdint>
#include <vector>

#include "weights/model_config.h"

namespace aurum::model {

// Angle per position of each rotated pair, and the factor on cos and sin.
struct RotaryFrequencies {
  std::vector<float> inverse;  // [rotary_dim / 2]
  float scaling = 1.0f;
};

// For a row of `length` tokens: dynamic and longrope choose by the length, the rest ignore it.
RotaryFrequencies rotary_frequencies(const weights::RopeConfig& rope, std::int64_t head_dim,
                                     std::int64_t max_positions, std::int64_t length);

// Rows whose lengths give equal keys share their frequencies; a sequence that grows into another
// key must be run again from its start.
std::int64_t rotary_key(const weights::RopeConfig& rope, std::int64_t max_positions,
                        std::int64_t length);

}  // namespace aurum::model

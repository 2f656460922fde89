#pragma once

#include <string>
#include <vector>

#include "model/causal_lm.h"

namespace aurum::train {

// Takes the parameters of the named layers ("model.embed_tokens", "model.layers.0",
// "model.layers.1.mlp") out of `parameters` and lets them want no gradient. Throws ConfigError for
// a name that is no layer, and when nothing is left to train.
std::vector<model::NamedParameter> freeze_layers(std::vector<model::NamedParameter> parameters,
                                                 const std::vector<std::string>& layers);

}  // namespace aurum::train

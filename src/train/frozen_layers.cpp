#include "train/frozen_layers.h"

#include <algorithm>

#include "base/error.h"

namespace aurum::train {

namespace {

bool is_inside(const std::string& parameter, const std::string& layer) {
  return parameter == layer || parameter.starts_with(layer + ".");
}

}  // namespace

std::vector<model::NamedParameter> freeze_layers(std::vector<model::NamedParameter> parameters,
                                                 const std::vector<std::string>& layers) {
  for (const std::string& layer : layers) {
    const auto frozen = std::stable_partition(
        parameters.begin(), parameters.end(),
        [&](const model::NamedParameter& p) { return !is_inside(p.name, layer); });
    if (frozen == parameters.end()) {
      throw ConfigError(fmt::format(
          "model.freeze_layers: the student has no layer {} left to freeze; its layers are called "
          "model.embed_tokens, model.layers.0, ...",
          layer));
    }
    for (auto p = frozen; p != parameters.end(); ++p) p->tensor->set_requires_grad(false);
    parameters.erase(frozen, parameters.end());
  }
  if (parameters.empty()) throw ConfigError("model.freeze_layers leaves no weight to train");
  return parameters;
}

}  // namespace aurum::train

#include "config/training_config.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"
#include "config/contradictions.h"
#include "config/interpolation.h"
#include "config/section.h"
#include "config/section_reader.h"
#include "config/trainer_kwargs.h"
#include "config/yaml_tree.h"

namespace aurum::config {

namespace {

constexpr std::uint64_t kMostBytes = 10'000'000;

// The default of a key outside lists.
std::optional<Json> default_of_key(const std::string& path) {
  static const Json defaults = [] {
    TrainingConfig config;
    return to_json(bind(config));
  }();
  const Json* value = &defaults;
  for (const std::string& step : split_path(path)) {
    if (!value->is_object() || !value->contains(step)) return std::nullopt;
    value = &(*value)[step];
  }
  return *value;
}

void apply_overrides(YamlTree& tree, const Overrides& overrides) {
  for (const Override& item : overrides) {
    if (item.only_if_missing && find_path(tree, item.path) != nullptr) continue;
    const std::string place = "command line, --" + item.path;
    set_path(tree, item.path, parse_yaml(item.value, place, false));
  }
}

// compat: trl stands for the settings that reproduce TRL, unless they are set explicitly.
void apply_compat(TrainingConfig& config) {
  GoldParams& gold = config.training.gold;
  if (gold.compat != "trl") return;
  if (!config.is_set("training.gold.uld_token_merge_strategy")) {
    gold.uld_token_merge_strategy = "observed";
  }
  if (!config.is_set("training.gold.teacher_prompt")) gold.teacher_prompt = "student_text";
}

}  // namespace

bool TrainingConfig::is_set(const std::string& path) const {
  for (const SetKey& key : set_keys) {
    if (key.path == path) return true;
  }
  return false;
}

std::string TrainingConfig::place_of(const std::string& path) const {
  for (const SetKey& key : set_keys) {
    if (key.path == path) return key.place;
  }
  return source;
}

TrainingConfig parse_training_config(const std::string& text, const std::string& source,
                                     const Overrides& overrides) {
  YamlTree tree = parse_yaml(text, source);
  if (tree.is_null()) tree.kind = YamlTree::Kind::kMap;
  if (tree.kind != YamlTree::Kind::kMap) {
    throw ConfigError(fmt::format("{}: expected the sections model, data and training, found {}",
                                  tree.place, describe(tree)));
  }
  apply_overrides(tree, overrides);
  interpolate(tree, default_of_key);
  TrainingConfig config;
  config.source = source;
  read_section(tree, bind(config), config.set_keys);
  apply_trainer_kwargs(config);
  apply_compat(config);
  check_contradictions(config);
  return config;
}

TrainingConfig load_training_config(const std::string& file, const Overrides& overrides) {
  return parse_training_config(read_file(file, kMostBytes), file, overrides);
}

void check_complete(const TrainingConfig& config) {
  if (!config.model.model_name.empty()) return;
  throw ConfigError(
      fmt::format("{}: model.model_name is missing: name the student, for example "
                  "model.model_name: HuggingFaceTB/SmolLM2-135M-Instruct",
                  config.place_of("model.model_name")));
}

}  // namespace aurum::config

#include "config/support.h"

#include <algorithm>
#include <map>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "config/section.h"
#include "config/trainer_kwargs.h"

namespace aurum::config {

namespace {

constexpr std::string_view kOptimizers[] = {"adamw_torch", "adamw_torch_fused"};
constexpr std::string_view kSchedules[] = {"linear", "cosine", "constant", "constant_with_warmup"};
constexpr std::string_view kTeacherOptions[] = {"torch_dtype", "dtype", "device_map",
                                                "attn_implementation", "revision"};

template <typename Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// "data.train.datasets[0].split" -> "data.train.datasets[].split"
std::string without_indices(const std::string& path) {
  std::string out;
  bool is_inside = false;
  for (const char c : path) {
    if (c == ']') is_inside = false;
    if (!is_inside) out += c;
    if (c == '[') is_inside = true;
  }
  return out;
}

struct KnownKey {
  Field field;
  Json default_value;
};

const std::map<std::string, KnownKey>& known_keys() {
  static const auto keys = [] {
    std::map<std::string, KnownKey> by_path;
    TrainingConfig config;
    for_each_key(
        bind(config),
        [&](const std::string& path, const Entry& entry) {
          by_path[path] = {entry.field, to_json(entry.leaf)};
        },
        true);
    return by_path;
  }();
  return keys;
}

// Values that a list of names here decides about, beside the field list.
std::string refusal_of_value(const std::string& path, const Json& value) {
  const auto refuse = [&](const auto& supported) {
    return fmt::format("{} is not there yet; choose one of {}", value.dump(),
                       fmt::join(supported, ", "));
  };
  if (path == "training.trainer_type" && value != "TRL_GOLD") {
    return "only TRL_GOLD is there: write training.trainer_type: TRL_GOLD";
  }
  if (path == "training.optimizer" && !contains(kOptimizers, value.get<std::string>())) {
    return refuse(kOptimizers);
  }
  if (path == "training.lr_scheduler_type" && !contains(kSchedules, value.get<std::string>())) {
    return refuse(kSchedules);
  }
  return "";
}

// Sorts the arguments inside training.trainer_kwargs and teacher_model_init_kwargs.
void classify_argument(const SetKey& key, KeyClasses& classes) {
  const std::string name = key.path.substr(key.path.rfind('.') + 1);
  if (key.path == "training.trainer_kwargs." + name) {
    const TrainerArgument* argument = find_trainer_argument(name);
    if (argument == nullptr || argument->effect == Effect::kActs) {
      classes.acting.push_back({key.path, key.place, ""});
    } else {
      (argument->effect == Effect::kRefused ? classes.refused : classes.ignored)
          .push_back({key.path, key.place, argument->note});
    }
  }
  if (key.path == "training.gold.teacher_model_init_kwargs." + name &&
      !contains(kTeacherOptions, name)) {
    classes.ignored.push_back({key.path, key.place,
                               "the teacher's loader knows torch_dtype, device_map, "
                               "attn_implementation and revision"});
  }
}

// Why a key about the adapter has no effect in this configuration; "" when it has one.
std::string idle_adapter_key(const std::string& path, const TrainingConfig& config) {
  if (!path.starts_with("peft.")) return "";
  if (!config.training.use_peft) return kNoPeft;
  if (path == "peft.lora_dropout" && config.training.gold.disable_dropout) {
    return "training.gold.disable_dropout is true";
  }
  return "";
}

// A default is honoured whatever the key, and so is switching off what is not there.
void classify_key(const SetKey& key, const KnownKey& known, const Json& value,
                  KeyClasses& classes) {
  const std::string refusal = refusal_of_value(key.path, value);
  const bool is_default = value == known.default_value;
  if (!refusal.empty()) {
    classes.refused.push_back({key.path, key.place, refusal});
  } else if (known.field.effect == Effect::kRefused && !is_default) {
    classes.refused.push_back({key.path, key.place, std::string(known.field.note)});
  } else if (known.field.effect == Effect::kIgnored && !is_default && value != false) {
    classes.ignored.push_back({key.path, key.place, std::string(known.field.note)});
  } else {
    classes.acting.push_back({key.path, key.place, ""});
  }
}

}  // namespace

KeyClasses classify_keys(const TrainingConfig& config) {
  TrainingConfig copy = config;
  std::map<std::string, Json> values;
  for_each_key(bind(copy), [&](const std::string& path, const Entry& entry) {
    values[path] = to_json(entry.leaf);
  });
  KeyClasses classes;
  for (const SetKey& key : config.set_keys) {
    const auto known = known_keys().find(without_indices(key.path));
    const std::string idle = idle_adapter_key(key.path, config);
    if (known == known_keys().end()) {
      classify_argument(key, classes);
    } else if (!idle.empty() && values[key.path] != known->second.default_value) {
      classes.ignored.push_back({key.path, key.place, idle});
    } else {
      classify_key(key, known->second, values[key.path], classes);
    }
  }
  return classes;
}

void check_trainable(const TrainingConfig& config) {
  if (!config.is_set("training.trainer_type")) {
    throw ConfigError(fmt::format(
        "{}: training.trainer_type is missing, and Oumi's default is another trainer: write "
        "training.trainer_type: TRL_GOLD",
        config.source));
  }
  const KeyClasses classes = classify_keys(config);
  if (!classes.refused.empty()) {
    const KeyNote& first = classes.refused.front();
    throw ConfigError(
        fmt::format("{}: {} cannot be honoured: {}", first.place, first.path, first.note));
  }
  if (!config.training.gold.teacher_model_name_or_path) {
    throw ConfigError(
        fmt::format("{}: training.gold.teacher_model_name_or_path is missing: name the teacher",
                    config.source));
  }
}

std::vector<std::string> warnings(const TrainingConfig& config) {
  std::vector<std::string> sentences = config.warnings;
  for (const KeyNote& note : classify_keys(config).ignored) {
    sentences.push_back(
        fmt::format("{}: {} has no effect here: {}", note.place, note.path, note.note));
  }
  return sentences;
}

}  // namespace aurum::config

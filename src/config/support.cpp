#include "config/support.h"

#include <algorithm>
#include <map>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "config/section.h"
#include "config/teacher_options.h"
#include "config/trainer_kwargs.h"

namespace aurum::config {

namespace {

constexpr std::string_view kOptimizers[] = {"adamw_torch", "adamw_torch_fused", "adafactor", "sgd",
                                            "adagrad",     "rmsprop",           "lion_32bit"};
constexpr std::string_view kSchedules[] = {"linear",
                                           "cosine",
                                           "cosine_with_restarts",
                                           "polynomial",
                                           "constant",
                                           "constant_with_warmup",
                                           "inverse_sqrt",
                                           "cosine_with_min_lr",
                                           "cosine_warmup_with_min_lr",
                                           "warmup_stable_decay",
                                           "reduce_lr_on_plateau"};

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
  const auto refuse = [&](const auto& supported, const char* why = "is not there yet") {
    return fmt::format("{} {}; choose one of {}", value.dump(), why, fmt::join(supported, ", "));
  };
  if (path == "training.trainer_type" && value != "TRL_GOLD") {
    return "only TRL_GOLD is there: write training.trainer_type: TRL_GOLD";
  }
  if (path == "training.optimizer" && !contains(kOptimizers, value.get<std::string>())) {
    const bool is_of_bitsandbytes = value.get<std::string>().find("bit") != std::string::npos ||
                                    value.get<std::string>().find("paged") != std::string::npos;
    return is_of_bitsandbytes ? refuse(kOptimizers, "belongs to bitsandbytes' CUDA kernels")
                              : refuse(kOptimizers);
  }
  if (path == "training.lr_scheduler_type" && !contains(kSchedules, value.get<std::string>())) {
    return refuse(kSchedules, "would follow every training loss, which none here does");
  }
  return "";
}

void add(const SetKey& key, Effect effect, const std::string& note, KeyClasses& classes) {
  auto& notes = effect == Effect::kActs      ? classes.acting
                : effect == Effect::kRefused ? classes.refused
                                             : classes.ignored;
  notes.push_back({key.path, key.place, note});
}

// Sorts the arguments inside training.trainer_kwargs and teacher_model_init_kwargs.
void classify_argument(const SetKey& key, const GoldParams& gold, KeyClasses& classes) {
  const std::string name = key.path.substr(key.path.rfind('.') + 1);
  if (key.path == "training.trainer_kwargs." + name) {
    const TrainerArgument* argument = find_trainer_argument(name);
    const bool acts = argument == nullptr || argument->effect == Effect::kActs;
    add(key, acts ? Effect::kActs : argument->effect, acts ? "" : argument->note, classes);
  }
  if (key.path == "training.gold.teacher_model_init_kwargs." + name) {
    const TeacherOptionNote option = check_teacher_option(gold, name);
    add(key, option.effect, option.note, classes);
  }
}

// Why an engine's key has no effect; "" when it has one.
std::string idle_engine_key(const std::string& path, const GoldParams& gold) {
  constexpr std::string_view kPrefix = "training.gold.";
  if (!path.starts_with(kPrefix)) return "";
  const std::string name = path.substr(kPrefix.size());
  if (name == "use_transformers_paged") {
    return gold.use_vllm ? "the engine of use_vllm manages its memory itself" : "";
  }
  if (!name.starts_with("vllm_") || name == "vllm_guided_decoding_regex") return "";
  if (!gold.use_vllm) return "it only matters with use_vllm: true";
  const bool is_of_server = name.starts_with("vllm_server_");
  if (is_of_server && gold.vllm_mode == "colocate") {
    return "it only matters with vllm_mode: server";
  }
  const bool is_of_colocated =
      name == "vllm_gpu_memory_utilization" || name == "vllm_enable_sleep_mode";
  if (is_of_colocated && gold.vllm_mode == "server") {
    return "it only matters with vllm_mode: colocate";
  }
  return "";
}

// Why a key cannot be honoured beside the others; "" when it can.
std::string refusal_beside(const std::string& path, const TrainingConfig& config) {
  const GoldParams& gold = config.training.gold;
  if (path == "model.freeze_layers" && config.training.use_peft) {
    return "training.use_peft trains no weight of the student: remove it";
  }
  if (!gold.use_vllm) return "";
  if (path == "training.gold.vllm_tensor_parallel_size" && gold.vllm_tensor_parallel_size != 1) {
    return "there is one rank: set it to 1";
  }
  if (path == "training.gold.vllm_enable_sleep_mode" && gold.vllm_enable_sleep_mode &&
      gold.vllm_mode == "colocate" && gold.vllm_sync_frequency > 1) {
    return "a sleeping engine keeps no older weights: set vllm_sync_frequency: 1";
  }
  if (path == "training.use_peft" && config.training.use_peft && gold.vllm_mode == "server") {
    return "a rollout server takes whole weights, no adapter: set training.gold.vllm_mode: "
           "colocate";
  }
  return "";
}

// Why a key has no effect beside the others of this configuration; "" when it has one.
std::string idle_key(const std::string& path, const TrainingConfig& config) {
  const GoldParams& gold = config.training.gold;
  if (path == "training.gold.seq_kd") {
    if (gold.compat == "trl") return "TRL accepts it and does nothing, and so does compat: trl";
    return gold.lmbda == 1.0 ? "with lmbda: 1 every micro-batch is on-policy" : "";
  }
  if (const std::string idle = idle_engine_key(path, gold); !idle.empty()) return idle;
  const std::string& optimizer = config.training.optimizer;
  const bool is_adam = optimizer.starts_with("adamw");
  const bool has_betas = is_adam || optimizer == "lion_32bit";
  const bool is_beta = path == "training.adam_beta1" || path == "training.adam_beta2";
  if ((is_beta && !has_betas) || (path == "training.adam_epsilon" && !is_adam) ||
      (path == "training.sgd_momentum" && optimizer != "sgd")) {
    return fmt::format("the optimizer {} has none", optimizer);
  }
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
  const bool is_off = known.field.effect == Effect::kIgnored && value == false;
  if (!refusal.empty()) {
    add(key, Effect::kRefused, refusal, classes);
  } else if (is_default || is_off) {
    add(key, Effect::kActs, "", classes);
  } else {
    add(key, known.field.effect, std::string(known.field.note), classes);
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
    const std::string idle = idle_key(key.path, config);
    const std::string refusal = refusal_beside(key.path, config);
    if (known == known_keys().end()) {
      classify_argument(key, config.training.gold, classes);
    } else if (!refusal.empty()) {
      add(key, Effect::kRefused, refusal, classes);
    } else if (!idle.empty() && values[key.path] != known->second.default_value) {
      add(key, Effect::kIgnored, idle, classes);
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
  const GoldParams& gold = config.training.gold;
  if (gold.num_generations > 1 && gold.lmbda < 1) {
    sentences.push_back(fmt::format(
        "{}: training.gold.num_generations is {}, so off-policy micro-batches hold that many "
        "copies of each row; training.gold.lmbda: 1 has none",
        config.place_of("training.gold.num_generations"), gold.num_generations));
  }
  for (const KeyNote& note : classify_keys(config).ignored) {
    sentences.push_back(
        fmt::format("{}: {} has no effect here: {}", note.place, note.path, note.note));
  }
  return sentences;
}

}  // namespace aurum::config

#include "config/acting_config.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "base/error.h"
#include "base/files.h"
#include "config/known_keys.h"

namespace aurum::config {

namespace {

using Json = nlohmann::ordered_json;

// "data.train.datasets[0].split" -> "data.train.datasets[].split"
std::string without_indices(const std::string& path) {
  std::string out;
  bool inside = false;
  for (const char c : path) {
    if (c == ']') inside = false;
    if (!inside) out += c;
    if (c == '[') inside = true;
  }
  return out;
}

class KnownKeys {
 public:
  KnownKeys() {
    for (const Json& entry : Json::parse(kKnownKeysJson)) {
      order_.push_back(entry["key"].get<std::string>());
      entries_[order_.back()] = entry;
      std::string prefix = order_.back();
      for (std::size_t dot; (dot = prefix.rfind('.')) != std::string::npos;) {
        prefix.resize(dot);
        sections_.insert(prefix);
        if (prefix.size() > 2 && prefix.ends_with("[]")) {
          sections_.insert(prefix.substr(0, prefix.size() - 2));
        }
      }
    }
  }
  const Json* find(const std::string& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second;
  }
  bool is_section(const std::string& key) const { return key.empty() || sections_.contains(key); }
  const std::vector<std::string>& order() const { return order_; }

 private:
  std::vector<std::string> order_;
  std::map<std::string, Json> entries_;
  std::set<std::string> sections_;
};

const KnownKeys& known_keys() {
  static const KnownKeys keys;
  return keys;
}

struct Place {
  std::string file;
  std::string at(const YAML::Node& node, const std::string& path) const {
    const YAML::Mark mark = node.Mark();
    if (mark.is_null()) return fmt::format("{}: {}", file, path);
    return fmt::format("{}:{}: {}", file, mark.line + 1, path);
  }
};

std::string lowercase(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

template <typename T>
bool converts(const YAML::Node& node) {
  T value;
  return node.IsScalar() && YAML::convert<T>::decode(node, value);
}

bool fits_alternative(const YAML::Node& node, const std::string& type) {
  if (type == "None") return node.IsNull();
  if (type == "int") return converts<std::int64_t>(node);
  if (type == "float") return converts<double>(node);
  if (type == "bool") return converts<bool>(node);
  if (type.rfind("dict", 0) == 0) return node.IsMap();
  if (type.rfind("list", 0) == 0) return node.IsSequence();
  return node.IsScalar();  // str, enums, paths
}

bool fits_type(const YAML::Node& node, const std::string& type) {
  for (std::size_t begin = 0; begin <= type.size();) {
    std::size_t end = type.find(" | ", begin);
    if (end == std::string::npos) end = type.size();
    if (fits_alternative(node, type.substr(begin, end - begin))) return true;
    begin = end + 3;
  }
  return false;
}

// The choice that a value names, in any case, by name or by value; nullopt for none.
std::optional<std::string> match_choice(const Json& entry, const std::string& value) {
  const Json& choices = entry["choices"];
  const Json values = entry.value("values", choices);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const auto name = choices[i].get<std::string>();
    const bool by_value =
        i < values.size() && lowercase(values[i].get<std::string>()) == lowercase(value);
    if (lowercase(name) == lowercase(value) || by_value) return name;
  }
  return std::nullopt;
}

void check_value(YAML::Node node, const std::string& path, const Json& entry, const Place& place) {
  const auto type = entry["type"].get<std::string>();
  if (!fits_type(node, type)) {
    throw ConfigError(
        fmt::format("{} must be {}, found {}", place.at(node, path), type,
                    node.IsScalar() ? "\"" + node.Scalar() + "\"" : YAML::Dump(node)));
  }
  if (!entry.contains("choices") || !node.IsScalar()) return;
  const std::optional<std::string> choice = match_choice(entry, node.Scalar());
  if (!choice) {
    throw ConfigError(fmt::format("{} is \"{}\"; choose one of {}", place.at(node, path),
                                  node.Scalar(), entry["choices"].dump()));
  }
  node = *choice;
}

// Checks names and types of a tree, and collects the paths that it sets.
void check_tree(const YAML::Node& node, const std::string& path, const Place& place,
                std::vector<std::string>& set_paths) {
  const std::string key = without_indices(path);
  if (const Json* entry = known_keys().find(key)) {
    check_value(node, path, *entry, place);
    set_paths.push_back(path);
    return;
  }
  if (!known_keys().is_section(key)) {
    const std::string nearest = nearest_word(key, known_keys().order());
    throw ConfigError(fmt::format("{}: no such key{}", place.at(node, path),
                                  nearest.empty() ? "" : "; did you mean " + nearest + "?"));
  }
  if (node.IsMap()) {
    for (const auto& item : node) {
      const std::string name = item.first.Scalar();
      check_tree(item.second, path.empty() ? name : path + "." + name, place, set_paths);
    }
  } else if (node.IsSequence() && known_keys().is_section(key + "[]")) {
    for (std::size_t i = 0; i < node.size(); ++i) {
      check_tree(node[i], fmt::format("{}[{}]", path, i), place, set_paths);
    }
  } else if (!node.IsNull()) {
    throw ConfigError(
        fmt::format("{} must be a section with keys of its own", place.at(node, path)));
  }
}

// The steps of a path: names, and numbers for list items.
std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> steps(1);
  for (const char c : path) {
    if (c == '.' || c == '[') {
      steps.emplace_back();
    } else if (c != ']') {
      steps.back() += c;
    }
  }
  return steps;
}

void set_path(YAML::Node root, const std::string& path, const YAML::Node& value) {
  const std::vector<std::string> steps = split_path(path);
  YAML::Node node = root;
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    const bool is_index =
        !steps[i].empty() && std::isdigit(static_cast<unsigned char>(steps[i][0]));
    YAML::Node next =
        is_index ? node[static_cast<std::size_t>(std::stoul(steps[i]))] : node[steps[i]];
    node.reset(next);
  }
  node[steps.back()] = value;
}

YAML::Node to_node(const Json& json) { return YAML::Load(json.dump()); }

// Every key outside lists with its default, then the file over it; list items get the defaults of
// their own keys.
YAML::Node with_defaults(const YAML::Node& user) {
  YAML::Node full(YAML::NodeType::Map);
  for (const std::string& key : known_keys().order()) {
    const Json& entry = *known_keys().find(key);
    const std::size_t list = key.find("[]");
    if (list == std::string::npos) {
      set_path(full, key, to_node(entry["default"]));
      continue;
    }
    const std::string list_path = key.substr(0, list);
    YAML::Node items = user;
    for (const std::string& step : split_path(list_path)) {
      if (!items.IsMap()) break;
      items.reset(items[step] ? items[step] : YAML::Node());
    }
    if (!items.IsSequence()) continue;
    for (std::size_t i = 0; i < items.size(); ++i) {
      set_path(full, fmt::format("{}[{}]{}", list_path, i, key.substr(list + 2)),
               to_node(entry["default"]));
    }
  }
  return full;
}

// Reads members out of the effective tree, and remembers which keys something reads.
class Binder {
 public:
  Binder(YAML::Node node, std::string path, std::set<std::string>& read)
      : node_(std::move(node)), path_(std::move(path)), read_(read) {}

  Binder section(const std::string& name) const {
    return {node_[name], path_.empty() ? name : path_ + "." + name, read_};
  }
  template <typename T>
  void operator()(const char* name, T& member) const {
    read_.insert(without_indices(path_ + "." + name));
    const YAML::Node value = node_[name];
    if (value && !value.IsNull()) member = value.as<T>();
  }
  template <typename T>
  void operator()(const char* name, std::optional<T>& member) const {
    T value{};
    const YAML::Node node = node_[name];
    (*this)(name, value);
    if (node && !node.IsNull()) member = value;
  }
  std::size_t size() const { return node_ && node_.IsSequence() ? node_.size() : 0; }
  Binder item(std::size_t index) const {
    return {node_[index], fmt::format("{}[{}]", path_, index), read_};
  }

 private:
  YAML::Node node_;
  std::string path_;
  std::set<std::string>& read_;
};

void bind(const Binder& at, DatasetSplitParams& split) {
  const Binder list = at.section("datasets");
  for (std::size_t i = 0; i < list.size(); ++i) {
    DatasetParams& dataset = split.datasets.emplace_back();
    const Binder item = list.item(i);
    item("dataset_name", dataset.dataset_name);
    item("dataset_path", dataset.dataset_path);
    item("split", dataset.split);
    item("sample_count", dataset.sample_count);
  }
}

void bind(const Binder& at, ModelParams& model) {
  at("model_name", model.model_name);
  at("tokenizer_name", model.tokenizer_name);
  at("chat_template", model.chat_template);
  at("model_max_length", model.model_max_length);
  at("torch_dtype_str", model.torch_dtype_str);
}

void bind(const Binder& at, GoldParams& gold) {
  at("teacher_model_name_or_path", gold.teacher_model_name_or_path);
  at("teacher_tokenizer_name_or_path", gold.teacher_tokenizer_name_or_path);
  at("temperature", gold.temperature);
  at("top_p", gold.top_p);
  at("top_k", gold.top_k);
  at("lmbda", gold.lmbda);
  at("beta", gold.beta);
  at("max_completion_length", gold.max_completion_length);
  at("num_generations", gold.num_generations);
  at("seq_kd", gold.seq_kd);
  at("use_uld_loss", gold.use_uld_loss);
  at("use_extended_uld", gold.use_extended_uld);
  at("uld_use_hybrid_loss", gold.uld_use_hybrid_loss);
  at("uld_hybrid_matched_weight", gold.uld_hybrid_matched_weight);
  at("uld_hybrid_unmatched_weight", gold.uld_hybrid_unmatched_weight);
  at("uld_crossentropy_weight", gold.uld_crossentropy_weight);
  at("uld_distillation_weight", gold.uld_distillation_weight);
  at("uld_student_temperature", gold.uld_student_temperature);
  at("uld_teacher_temperature", gold.uld_teacher_temperature);
  at("uld_skip_student_eos", gold.uld_skip_student_eos);
  at("uld_skip_teacher_eos", gold.uld_skip_teacher_eos);
  at("use_vllm", gold.use_vllm);
  at("uld_token_merge_strategy", gold.uld_token_merge_strategy);
  at("teacher_prompt", gold.teacher_prompt);
  at("compat", gold.compat);
}

void bind(const Binder& at, TrainingParams& training) {
  at("trainer_type", training.trainer_type);
  at("output_dir", training.output_dir);
  at("eval_strategy", training.eval_strategy);
  at("eval_steps", training.eval_steps);
  at("lr_scheduler_type", training.lr_scheduler_type);
  at("optimizer", training.optimizer);
  at("mixed_precision_dtype", training.mixed_precision_dtype);
  at("use_peft", training.use_peft);
  at("enable_gradient_checkpointing", training.enable_gradient_checkpointing);
  at("save_final_model", training.save_final_model);
  at("try_resume_from_last_checkpoint", training.try_resume_from_last_checkpoint);
  at("resume_from_checkpoint", training.resume_from_checkpoint);
  at("per_device_train_batch_size", training.per_device_train_batch_size);
  at("per_device_eval_batch_size", training.per_device_eval_batch_size);
  at("gradient_accumulation_steps", training.gradient_accumulation_steps);
  at("max_steps", training.max_steps);
  at("num_train_epochs", training.num_train_epochs);
  at("save_steps", training.save_steps);
  at("seed", training.seed);
  at("data_seed", training.data_seed);
  at("logging_steps", training.logging_steps);
  at("learning_rate", training.learning_rate);
  at("weight_decay", training.weight_decay);
  at("adam_beta1", training.adam_beta1);
  at("adam_beta2", training.adam_beta2);
  at("adam_epsilon", training.adam_epsilon);
  at("warmup_ratio", training.warmup_ratio);
  at("warmup_steps", training.warmup_steps);
  at("max_grad_norm", training.max_grad_norm);
  bind(at.section("gold"), training.gold);
}

// One violation is one error that names the key, the range and the value found.
void check_range(const char* key, double value, bool inside, const char* range) {
  if (inside && std::isfinite(value)) return;
  throw ConfigError(fmt::format("training.gold.{} must be in {}, found {}", key, range, value));
}

void check_ranges(const GoldParams& gold) {
  const auto weight = [](const char* key, double v) { check_range(key, v, v >= 0, "[0, inf)"); };
  check_range("temperature", gold.temperature, gold.temperature > 0 && gold.temperature <= 1,
              "(0, 1]");
  check_range("top_p", gold.top_p, gold.top_p > 0 && gold.top_p <= 1, "(0, 1]");
  check_range("top_k", static_cast<double>(gold.top_k), gold.top_k >= 0, "[0, inf)");
  check_range("lmbda", gold.lmbda, gold.lmbda >= 0 && gold.lmbda <= 1, "[0, 1]");
  check_range("beta", gold.beta, gold.beta >= 0 && gold.beta <= 1, "[0, 1]");
  check_range("max_completion_length", static_cast<double>(gold.max_completion_length),
              gold.max_completion_length > 0, "(0, inf)");
  if (gold.uld_hybrid_matched_weight.has_value() != gold.uld_hybrid_unmatched_weight.has_value()) {
    throw ConfigError(
        "training.gold.uld_hybrid_matched_weight and uld_hybrid_unmatched_weight: set both or "
        "neither");
  }
  if (gold.uld_hybrid_matched_weight) {
    weight("uld_hybrid_matched_weight", *gold.uld_hybrid_matched_weight);
    weight("uld_hybrid_unmatched_weight", *gold.uld_hybrid_unmatched_weight);
  }
  if (!gold.use_uld_loss) return;
  weight("uld_crossentropy_weight", gold.uld_crossentropy_weight);
  weight("uld_distillation_weight", gold.uld_distillation_weight);
  check_range("uld_student_temperature", gold.uld_student_temperature,
              gold.uld_student_temperature > 0, "(0, inf)");
  check_range("uld_teacher_temperature", gold.uld_teacher_temperature,
              gold.uld_teacher_temperature > 0, "(0, inf)");
}

YAML::Node parse_yaml(const std::string& text, const std::string& source) {
  try {
    YAML::Node node = YAML::Load(text);
    if (node.IsNull()) return YAML::Node(YAML::NodeType::Map);
    return node;
  } catch (const YAML::Exception& error) {
    throw ConfigError(fmt::format("{}:{}: not YAML: {}", source, error.mark.line + 1, error.msg));
  }
}

// Keys that no member holds, or whose section has no member, by their place in the whole tree.
void check_other_ranges(const YAML::Node& full) {
  struct Range {
    const char* section;
    const char* key;
    double min, max;
    bool min_is_open;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static constexpr Range kRanges[] = {{"gold", "vllm_gpu_memory_utilization", 0, 1, true},
                                      {"gold", "vllm_tensor_parallel_size", 1, kInfinity, false},
                                      {"gold", "vllm_sync_frequency", 1, kInfinity, false},
                                      {"gold", "vllm_server_port", 1, 65535, false},
                                      {"gold", "vllm_server_timeout", 0, kInfinity, true},
                                      {"", "per_device_train_batch_size", 1, kInfinity, false},
                                      {"", "per_device_eval_batch_size", 1, kInfinity, false},
                                      {"", "gradient_accumulation_steps", 1, kInfinity, false},
                                      {"", "learning_rate", 0, kInfinity, false},
                                      {"", "weight_decay", 0, kInfinity, false},
                                      {"", "max_grad_norm", 0, kInfinity, false},
                                      {"", "warmup_ratio", 0, 1, false},
                                      {"", "max_steps", -1, kInfinity, false}};
  for (const Range& range : kRanges) {
    const YAML::Node training = full["training"];
    const std::string section = range.section;
    const YAML::Node node = section.empty() ? training[range.key] : training[section][range.key];
    if (!node || node.IsNull()) continue;
    const double value = node.as<double>();
    const bool above = range.min_is_open ? value > range.min : value >= range.min;
    if (above && value <= range.max && std::isfinite(value)) continue;
    throw ConfigError(fmt::format("training.{}{}{} must be in {}{}, {}], found {}", section,
                                  section.empty() ? "" : ".", range.key,
                                  range.min_is_open ? "(" : "[", range.min, range.max, value));
  }
}

void check_contradictions(const TrainingConfig& config, const YAML::Node& full) {
  const std::string vllm_mode = full["training"]["gold"]["vllm_mode"].as<std::string>();
  if (vllm_mode != "server" && vllm_mode != "colocate") {
    throw ConfigError(
        fmt::format("training.gold.vllm_mode must be server or colocate, found {}", vllm_mode));
  }
  if (config.training.mixed_precision_dtype != "NONE" &&
      config.model.torch_dtype_str != "float32") {
    throw ConfigError(
        "training.mixed_precision_dtype needs the weights in float32: set "
        "model.torch_dtype_str: float32");
  }
}

// `compat: trl` brings TRL's choices along, except where the user made one.
void apply_compatibility(const YAML::Node& full, const std::vector<std::string>& set_paths) {
  const YAML::Node compat = full["training"]["gold"]["compat"];
  if (compat.IsNull() || compat.as<std::string>() != "trl") return;
  for (const auto& [path, value] : {std::pair{"training.gold.uld_token_merge_strategy", "observed"},
                                    std::pair{"training.gold.teacher_prompt", "student_text"}}) {
    const bool is_set = std::find(set_paths.begin(), set_paths.end(), path) != set_paths.end();
    if (!is_set) set_path(full, path, YAML::Node(value));
  }
}

}  // namespace

TrainingConfig load_training_config(
    const std::string& file, const std::vector<std::pair<std::string, std::string>>& overrides) {
  constexpr std::uint64_t kMostBytes = 10'000'000;
  const YAML::Node user = parse_yaml(read_file(file, kMostBytes), file);
  if (!user.IsMap())
    throw ConfigError(file + ":1: expected sections with keys: model, data, training");
  for (const auto& [path, value] : overrides) {
    std::vector<std::string> ignored;
    check_tree(parse_yaml(value, "--" + path), path, {"--" + path}, ignored);
    set_path(user, path, YAML::Load(value));
  }
  std::vector<std::string> set_paths;
  check_tree(user, "", {file}, set_paths);

  const YAML::Node full = with_defaults(user);
  for (const std::string& path : set_paths) {
    YAML::Node value = user;
    for (const std::string& step : split_path(path)) {
      const bool is_index = value.IsSequence();
      value.reset(is_index ? value[static_cast<std::size_t>(std::stoul(step))] : value[step]);
    }
    set_path(full, path, value);
  }
  apply_compatibility(full, set_paths);

  TrainingConfig config;
  std::set<std::string> read;
  const Binder root(full, "", read);
  bind(root.section("data").section("train"), config.data.train);
  bind(root.section("data").section("validation"), config.data.validation);
  bind(root.section("model"), config.model);
  bind(root.section("training"), config.training);
  check_ranges(config.training.gold);
  check_other_ranges(full);
  check_contradictions(config, full);
  for (const char* section : {"data.train.", "data.validation."}) {
    for (const char* key : {"dataset_name", "dataset_path", "split", "sample_count"}) {
      read.insert(std::string(section) + "datasets[]." + key);
    }
  }
  for (const std::string& path : set_paths) {
    if (!read.contains(without_indices(path))) config.keys_without_effect.push_back(path);
  }
  config.effective_yaml = YAML::Dump(full) + "\n";
  return config;
}

std::string export_trl(const TrainingConfig& config) {
  const YAML::Node gold = YAML::Load(config.effective_yaml)["training"]["gold"];
  static const std::set<std::string> kLeftOut = {"teacher_model_name_or_path", "teacher_prompt",
                                                 "compat", "uld_token_merge_strategy",
                                                 "num_generations"};
  Json out = Json::object();
  for (const std::string& key : known_keys().order()) {
    const std::string prefix = "training.gold.";
    if (key.rfind(prefix, 0) != 0) continue;
    const std::string name = key.substr(prefix.size());
    const YAML::Node value = gold[name];
    if (kLeftOut.contains(name) || !value || value.IsNull()) continue;
    const auto type = (*known_keys().find(key))["type"].get<std::string>();
    if (type.rfind("bool", 0) == 0)
      out[name] = value.as<bool>();
    else if (type.rfind("int", 0) == 0)
      out[name] = value.as<std::int64_t>();
    else if (type.rfind("float", 0) == 0)
      out[name] = value.as<double>();
    else if (value.IsScalar())
      out[name] = value.Scalar();
    else if (value.IsMap()) {
      out[name] = Json::object();
      for (const auto& item : value) out[name][item.first.Scalar()] = item.second.Scalar();
      if (!out[name].contains("torch_dtype") && !out[name].contains("dtype"))
        out[name]["torch_dtype"] = "auto";
    }
  }
  return out.dump(2) + "\n";
}

}  // namespace aurum::config

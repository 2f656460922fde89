#include "weights/lora_config.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"

namespace aurum::weights {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kAllLinear = "all-linear";

[[noreturn]] void fail(const std::string& source, std::string_view key, std::string_view problem) {
  throw FormatError(
      fmt::format("{}: /{} {}. Correct it, or fetch the adapter again.", source, key, problem));
}

// True when `pattern` matches the whole of `text`.
bool matches_fully(const std::string& pattern, std::string_view text) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  const std::unique_ptr<pcre2_code, void (*)(pcre2_code*)> code(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF, &error, &offset, nullptr),
      pcre2_code_free);
  if (!code) {
    throw FormatError(
        fmt::format("the pattern {} is wrong at character {}. Correct the adapter's "
                    "configuration.",
                    pattern, offset));
  }
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data(
      pcre2_match_data_create_from_pattern(code.get(), nullptr), pcre2_match_data_free);
  return pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0,
                     data.get(), nullptr) >= 0;
}

template <typename T>
T value_for(const std::map<std::string, T>& patterns, std::string_view module_name, T fallback) {
  for (const auto& [pattern, value] : patterns) {
    if (matches_fully("(.*\\.)?(" + pattern + ")", module_name)) return value;
  }
  return fallback;
}

bool ends_with_part(std::string_view name, std::string_view end) {
  if (!name.ends_with(end)) return false;
  return name.size() == end.size() || name[name.size() - end.size() - 1] == '.';
}

class Reader {
 public:
  Reader(const Json& json, const std::string& source) : json_(json), source_(source) {}

  // Settings that change what the adapter computes, and must be off.
  void refuse_unsupported() const {
    const std::string type = get<std::string>("peft_type", "");
    if (type != "LORA") fail(source_, "peft_type", fmt::format("is {}; supported: LORA", type));
    for (const char* key : {"use_dora", "lora_bias", "use_qalora", "use_bdlora",
                            "layer_replication", "trainable_token_indices", "target_parameters",
                            "alora_invocation_tokens", "arrow_config", "kasa_config"}) {
      const Json* value = find(key);
      const bool off = value == nullptr || (value->is_boolean() && !value->get<bool>()) ||
                       (value->is_structured() && value->empty());
      if (!off) fail(source_, key, "is not supported");
    }
  }

  template <typename T>
  T get(const char* key, T fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    try {
      return value->template get<T>();
    } catch (const Json::exception&) {
      fail(source_, key, fmt::format("has the wrong type ({})", value->type_name()));
    }
  }

  LoraConfig read() const {
    LoraConfig config;
    config.rank = get<std::int64_t>("r", 8);
    if (config.rank < 1) fail(source_, "r", "must be at least 1");
    config.alpha = get<double>("lora_alpha", 8.0);
    config.dropout = get<double>("lora_dropout", 0.0);
    config.use_rslora = get<bool>("use_rslora", false);
    config.fan_in_fan_out = get<bool>("fan_in_fan_out", false);
    if (const Json* targets = find("target_modules"); targets != nullptr && targets->is_string()) {
      config.target_pattern = targets->get<std::string>();
    } else {
      config.target_modules = get<std::vector<std::string>>("target_modules", {});
    }
    if (const Json* left_out = find("exclude_modules"); left_out && left_out->is_string()) {
      config.exclude_pattern = left_out->get<std::string>();
    } else {
      config.exclude_modules = get<std::vector<std::string>>("exclude_modules", {});
    }
    config.modules_to_save = get<std::vector<std::string>>("modules_to_save", {});
    config.rank_pattern = get<std::map<std::string, std::int64_t>>("rank_pattern", {});
    config.alpha_pattern = get<std::map<std::string, double>>("alpha_pattern", {});
    config.base_model = get<std::string>("base_model_name_or_path", "");
    return config;
  }

 private:
  const Json* find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }

  const Json& json_;
  const std::string& source_;
};

Json null_if_empty(Json value) { return value.empty() ? Json() : value; }

}  // namespace

std::int64_t LoraConfig::rank_of(std::string_view module_name) const {
  return value_for(rank_pattern, module_name, rank);
}

double LoraConfig::scale_of(std::string_view module_name, std::int64_t actual_rank) const {
  const auto divisor = static_cast<double>(actual_rank);
  return value_for(alpha_pattern, module_name, alpha) / (use_rslora ? std::sqrt(divisor) : divisor);
}

bool LoraConfig::targets(std::string_view module_name) const {
  const auto is_named = [&](const std::string& end) { return ends_with_part(module_name, end); };
  if (std::ranges::any_of(exclude_modules, is_named)) return false;
  if (!exclude_pattern.empty() && matches_fully(exclude_pattern, module_name)) return false;
  const bool is_head = ends_with_part(module_name, "lm_head");
  if (target_pattern == kAllLinear) return !is_head;
  if (!target_pattern.empty()) return matches_fully(target_pattern, module_name);
  return std::ranges::any_of(target_modules, [&](const std::string& target) {
    return target == kAllLinear ? !is_head : ends_with_part(module_name, target);
  });
}

LoraConfig parse_lora_config(const std::string& text, const std::string& source) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    throw FormatError(fmt::format("{}: not a JSON object. Fetch the adapter again.", source));
  }
  const Reader reader(json, source);
  reader.refuse_unsupported();
  return reader.read();
}

std::string lora_config_json(const LoraConfig& config) {
  Json json;
  json["peft_type"] = "LORA";
  json["task_type"] = "CAUSAL_LM";
  json["base_model_name_or_path"] = config.base_model.empty() ? Json() : Json(config.base_model);
  json["r"] = config.rank;
  json["lora_alpha"] = config.alpha;
  if (config.alpha == std::floor(config.alpha)) {
    json["lora_alpha"] = static_cast<std::int64_t>(config.alpha);
  }
  json["lora_dropout"] = config.dropout;
  json["use_rslora"] = config.use_rslora;
  json["fan_in_fan_out"] = config.fan_in_fan_out;
  json["bias"] = "none";
  json["inference_mode"] = true;
  json["init_lora_weights"] = true;
  json["target_modules"] =
      config.target_pattern.empty() ? Json(config.target_modules) : Json(config.target_pattern);
  json["exclude_modules"] = null_if_empty(
      config.exclude_pattern.empty() ? Json(config.exclude_modules) : Json(config.exclude_pattern));
  json["modules_to_save"] = null_if_empty(Json(config.modules_to_save));
  json["rank_pattern"] = config.rank_pattern;
  json["alpha_pattern"] = config.alpha_pattern;
  return json.dump(2) + "\n";
}

}  // namespace aurum::weights

// Writes a configuration: as YAML, and as TRL's arguments.

#include <cctype>

#include <fmt/format.h>

#include "config/section.h"
#include "config/training_config.h"
#include "config/yaml_scalar.h"

namespace aurum::config {

namespace {

// Numbers so that every YAML reader takes them for numbers: 5e-05 has no point, which YAML 1.1
// wants.
std::string scalar_text(const Json& value) {
  if (!value.is_number_float()) return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string text = python_text(value);
  const std::size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) {
    text.insert(exponent, ".0");
  }
  return text;
}

std::string key_text(const std::string& key) {
  bool is_plain = !key.empty() && std::isalpha(static_cast<unsigned char>(key[0])) != 0;
  for (const char c : key) {
    is_plain = is_plain && (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_');
  }
  const bool is_text = is_plain && type_plain_scalar(key).is_string();
  return is_text ? key : Json(key).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Lines of a value behind its "key:", indented by `indent`.
std::string value_lines(const Json& value, const std::string& indent) {
  if (!value.is_structured()) return " " + scalar_text(value) + "\n";
  if (value.empty()) return value.is_array() ? " []\n" : " {}\n";
  std::string out = "\n";
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      out += indent + key_text(key) + ":" + value_lines(item, indent + "  ");
    }
    return out;
  }
  for (const Json& item : value) out += indent + "-" + value_lines(item, indent + "  ");
  return out;
}

class YamlWriter {
 public:
  explicit YamlWriter(bool with_help) : with_help_(with_help) {}

  // `first_indent` differs for the first line of a list item, which starts with its dash.
  void write(const Section& section, const std::string& indent, std::string first_indent) {
    for (const Entry& entry : section.entries) {
      if (with_help_ && !entry.field.help.empty()) {
        out_ += fmt::format("{}# {}\n", indent, entry.field.help);
      }
      out_ += first_indent + entry.name + ":";
      first_indent = indent;
      write_value(entry, indent);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  void write_value(const Entry& entry, const std::string& indent) {
    switch (entry.kind) {
      case Entry::Kind::kLeaf:
        out_ += value_lines(to_json(entry.leaf), indent + "  ");
        return;
      case Entry::Kind::kSection:
        out_ += "\n";
        return write(entry.section(), indent + "  ", indent + "  ");
      case Entry::Kind::kList:
        out_ += entry.size() == 0 ? " []\n" : "\n";
        for (std::size_t i = 0; i < entry.size(); ++i) write_item(entry.item(i), indent);
        return;
      case Entry::Kind::kOptionalSection:
        out_ += entry.size() == 0 ? " null\n" : "\n";
        if (entry.size() != 0) write(entry.item(0), indent + "  ", indent + "  ");
        return;
    }
  }

  void write_item(const Section& item, const std::string& indent) {
    if (with_help_) {
      out_ += indent + "  -\n";
      return write(item, indent + "    ", indent + "    ");
    }
    write(item, indent + "    ", indent + "  - ");
  }

  bool with_help_;
  std::string out_;
};

}  // namespace

std::string to_yaml(const TrainingConfig& config, bool with_help) {
  TrainingConfig copy = config;  // binding wants a mutable object
  YamlWriter writer(with_help);
  writer.write(bind(copy), "", "");
  return writer.take();
}

Json to_trl_arguments(const TrainingConfig& config) {
  GoldParams gold = config.training.gold;
  Json arguments = to_json(bind(gold));
  // The first is an argument of the trainer itself, the others are no arguments of TRL.
  for (const char* key :
       {"teacher_model_name_or_path", "use_transformers_paged", "teacher_prompt", "compat"}) {
    arguments.erase(key);
  }
  for (const char* key : {"teacher_tokenizer_name_or_path", "uld_hybrid_matched_weight",
                          "uld_hybrid_unmatched_weight", "vllm_guided_decoding_regex"}) {
    if (arguments[key].is_null() || arguments[key] == "") arguments.erase(key);
  }
  // Keys that Oumi has not: only when they are not left at TRL's or our default.
  for (const char* key : {"uld_token_merge_strategy", "num_generations"}) {
    const bool is_default = arguments[key] == Json(1) || arguments[key] == "bayesian";
    if (is_default && !config.is_set(std::string("training.gold.") + key)) arguments.erase(key);
  }
  Json& load = arguments["teacher_model_init_kwargs"];
  if (!load.contains("torch_dtype") && !load.contains("dtype")) load["torch_dtype"] = "auto";
  for (const auto& [name, value] : config.training.trainer_kwargs.entries.items()) {
    if (!arguments.contains(name)) arguments[name] = value;
  }
  return arguments;
}

}  // namespace aurum::config

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace aurum::weights {

// adapter_config.json of a LoRA adapter, as the peft library writes it.
struct LoraConfig {
  std::int64_t rank = 8;
  double alpha = 8.0;
  double dropout = 0.0;
  bool use_rslora = false;      // scale alpha / sqrt(rank) instead of alpha / rank
  bool fan_in_fan_out = false;  // the adapted weights lie [in, out] (GPT-2)
  // Which modules: names or dotted ends of names; or, when `target_pattern` is not empty, those
  // whose whole name it matches. "all-linear" in either means every linear layer but the head.
  std::vector<std::string> target_modules;
  std::string target_pattern;
  // Targets that are left out all the same, in the same two notations.
  std::vector<std::string> exclude_modules;
  std::string exclude_pattern;
  std::vector<std::string> modules_to_save;  // trained whole
  // Exceptions by pattern, which the end of a module's name must match after a dot.
  std::map<std::string, std::int64_t> rank_pattern;
  std::map<std::string, double> alpha_pattern;
  std::string base_model;

  std::int64_t rank_of(std::string_view module_name) const;
  // What the product B A is multiplied by. `actual_rank` is that of the stored matrices.
  double scale_of(std::string_view module_name, std::int64_t actual_rank) const;
  // True when the linear layer "model.layers.0.self_attn.q_proj" is adapted.
  bool targets(std::string_view module_name) const;
};

// Reads adapter_config.json text. Throws FormatError with the key, and names what is not supported:
// other methods than LoRA, DoRA, biases of B, replicated layers, trained token rows.
LoraConfig parse_lora_config(const std::string& json, const std::string& source);

// The text that peft reads back as the same configuration.
std::string lora_config_json(const LoraConfig& config);

}  // namespace aurum::weights

#include "weights/config_layers.h"

namespace aurum::weights {
namespace {

// Layer types, where they are given: true for a sliding layer.
std::optional<std::vector<bool>> read_layer_types(const ConfigKeys& keys,
                                                  const ModelConfig& config) {
  const auto names = keys.list<std::string>("layer_types");
  if (!names) return std::nullopt;
  if (names->size() != static_cast<std::size_t>(config.num_layers)) {
    keys.fail("layer_types",
              fmt::format("has {} entries for {} layers", names->size(), config.num_layers));
  }
  std::vector<bool> sliding;
  for (const std::string& name : *names) {
    if (name != "sliding_attention" && name != "full_attention") {
      keys.fail("layer_types",
                fmt::format("has {}; supported: full_attention, sliding_attention", name));
    }
    sliding.push_back(name == "sliding_attention");
  }
  return sliding;
}

// The window of sliding layers; 0 when the model has none.
std::int64_t read_window(const ConfigKeys& keys, const std::string& model_type) {
  const bool defaults_to_4096 = model_type == "mistral" || model_type.starts_with("gemma");
  if (model_type == "gpt_oss") return keys.size("sliding_window", 128);
  const bool has_switch = model_type.starts_with("qwen") || model_type == "smollm3";
  if (has_switch && !keys.boolean("use_sliding_window", false)) return 0;
  if (model_type == "llama" || model_type == "gpt2") return 0;
  if (keys.find("sliding_window")) return keys.size("sliding_window");
  const bool absent = !keys.contains("sliding_window");
  return (absent && (defaults_to_4096 || has_switch)) ? 4096 : 0;
}

bool slides_by_default(const ConfigKeys& keys, const ModelConfig& config, std::int64_t layer) {
  const std::string& type = config.model_type;
  if (type == "gemma2" || type == "gpt_oss") return layer % 2 == 0;
  if (type == "gemma3_text") {
    const std::int64_t pattern =
        keys.size("sliding_window_pattern", keys.size("_sliding_window_pattern", 6));
    return (layer + 1) % pattern != 0;
  }
  if (type == "qwen2" || type == "qwen3")
    return layer >= keys.integer("max_window_layers").value_or(28);
  if (type == "smollm3") return !config.uses_rope[static_cast<std::size_t>(layer)];
  return true;
}

}  // namespace

void read_windows(const ConfigKeys& keys, ModelConfig& config) {
  const std::int64_t window = read_window(keys, config.model_type);
  config.sliding_window.assign(static_cast<std::size_t>(config.num_layers), 0);
  if (window == 0) return;
  const auto types = read_layer_types(keys, config);
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    const auto i = static_cast<std::size_t>(layer);
    const bool slides = types ? (*types)[i] : slides_by_default(keys, config, layer);
    if (slides) config.sliding_window[i] = window;
  }
}

void read_positions(const ConfigKeys& keys, ModelConfig& config) {
  config.uses_rope.assign(static_cast<std::size_t>(config.num_layers), !config.learned_positions);
  if (config.model_type != "smollm3") return;
  const auto given = keys.list<int>("no_rope_layers");
  if (given && given->size() != static_cast<std::size_t>(config.num_layers)) {
    keys.fail("no_rope_layers", "must have one entry per layer");
  }
  const std::int64_t interval = keys.size("no_rope_layer_interval", 4);
  for (std::size_t i = 0; i < config.uses_rope.size(); ++i) {
    config.uses_rope[i] =
        given ? (*given)[i] != 0 : (static_cast<std::int64_t>(i) + 1) % interval != 0;
  }
}

}  // namespace aurum::weights

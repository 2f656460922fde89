#include "cli/training_checks.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "rollout/guided/byte_automaton.h"

namespace aurum::cli {

namespace fs = std::filesystem;

namespace {

// "./models/x" and "/models/x" can only be paths; "org/name" may be a hub id.
bool is_path(const std::string& name) { return name.starts_with('/') || name.starts_with('.'); }

class MissingFiles {
 public:
  explicit MissingFiles(const config::TrainingConfig& config) : config_(config) {}

  void add(const std::string& key, const std::string& path) {
    std::error_code error;
    if (path.empty() || fs::exists(path, error)) return;
    sentences.push_back(fmt::format("{}: {}: there is no {}", config_.place_of(key), key, path));
  }

  void add_model(const std::string& key, const std::optional<std::string>& name) {
    if (name && is_path(*name)) add(key, *name);
  }

  void add_split(const std::string& name, const config::DatasetSplitParams& split) {
    for (std::size_t i = 0; i < split.datasets.size(); ++i) {
      add(fmt::format("data.{}.datasets[{}].dataset_path", name, i),
          split.datasets[i].dataset_path.value_or(""));
    }
  }

  std::vector<std::string> sentences;

 private:
  const config::TrainingConfig& config_;
};

}  // namespace

void check_guided_decoding(const config::TrainingConfig& config) {
  const auto& regex = config.training.gold.vllm_guided_decoding_regex;
  if (!regex) return;
  try {
    const rollout::ByteAutomaton automaton(*regex);
  } catch (const InputError& error) {
    constexpr const char* kKey = "training.gold.vllm_guided_decoding_regex";
    throw ConfigError(fmt::format("{}: {}: {}", config.place_of(kKey), kKey, error.what()));
  }
}

std::vector<std::string> missing_files(const config::TrainingConfig& config) {
  MissingFiles missing(config);
  missing.add_split("train", config.data.train);
  missing.add_split("validation", config.data.validation);
  missing.add_model("model.model_name", config.model.model_name);
  missing.add_model("model.tokenizer_name", config.model.tokenizer_name);
  missing.add_model("model.adapter_model", config.model.adapter_model);
  missing.add_model("training.gold.teacher_model_name_or_path",
                    config.training.gold.teacher_model_name_or_path);
  missing.add_model("training.gold.teacher_tokenizer_name_or_path",
                    config.training.gold.teacher_tokenizer_name_or_path);
  return std::move(missing.sentences);
}

}  // namespace aurum::cli

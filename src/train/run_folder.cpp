#include "train/run_folder.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "telemetry/run_files.h"
#include "telemetry/step_metrics.h"

namespace aurum::train {

namespace fs = std::filesystem;

using telemetry::kCompletionsFile;
using telemetry::kMetricsFile;
using telemetry::kStateFile;
using telemetry::kTeacherCompletionsFile;

namespace {

constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kSchedulerFile = "scheduler.json";
constexpr const char* kReadmeFile = "README.md";
constexpr const char* kCheckpointPrefix = "checkpoint-";

std::optional<std::int64_t> checkpoint_number(const std::string& name) {
  const std::string_view prefix = kCheckpointPrefix;
  if (name.rfind(prefix, 0) != 0) return std::nullopt;
  std::int64_t number = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

nlohmann::ordered_json log_history(const fs::path& run) {
  nlohmann::ordered_json history = nlohmann::ordered_json::array();
  if (!fs::exists(run / kMetricsFile)) return history;
  std::int64_t bad_lines = 0;
  for (auto& line : telemetry::read_jsonl((run / kMetricsFile).string(), &bad_lines)) {
    history.push_back(std::move(line));
  }
  return history;
}

double epoch_of(const Progress& progress, const RunFacts& facts) {
  return static_cast<double>(progress.num_steps) / static_cast<double>(facts.steps_per_epoch);
}

nlohmann::ordered_json trainer_state(const fs::path& run, const Progress& progress,
                                     const RunFacts& facts) {
  const double epoch = epoch_of(progress, facts);
  return {{"best_global_step", nullptr},
          {"best_metric", nullptr},
          {"best_model_checkpoint", nullptr},
          {"epoch", epoch},
          {"eval_steps", facts.eval_steps},
          {"global_step", progress.num_steps},
          {"is_hyper_param_search", false},
          {"is_local_process_zero", true},
          {"is_world_process_zero", true},
          {"log_history", log_history(run)},
          {"logging_steps", facts.logging_steps},
          {"max_steps", facts.max_steps},
          {"num_input_tokens_seen", progress.num_input_tokens_seen},
          {"num_train_epochs", static_cast<std::int64_t>(epoch) + 1},
          {"save_steps", facts.save_steps},
          {"stateful_callbacks", nlohmann::ordered_json::object()},
          {"total_flos", 0.0},
          {"train_batch_size", facts.train_batch_size},
          {"trial_name", nullptr},
          {"trial_params", nullptr}};
}

nlohmann::ordered_json to_json(const PlateauState& state) {
  return {{"rate", state.rate},
          {"best", state.best ? nlohmann::ordered_json(*state.best) : nlohmann::ordered_json()},
          {"num_bad", state.num_bad},
          {"cooldown_left", state.cooldown_left}};
}

// nullopt for a checkpoint whose schedule is a function of the step, or never saw an evaluation.
std::optional<PlateauState> load_plateau(const fs::path& checkpoint) {
  const auto text = read_file_if_present(checkpoint / kSchedulerFile);
  if (!text) return std::nullopt;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  const auto is_number = [&](const char* key) {
    return json.contains(key) && json[key].is_number();
  };
  if (!json.is_object() || !is_number("rate") || !is_number("num_bad") ||
      !is_number("cooldown_left")) {
    throw FormatError(fmt::format("{}: is no state of a schedule; the checkpoint is not whole",
                                  (checkpoint / kSchedulerFile).string()));
  }
  PlateauState state{
      .rate = json["rate"], .num_bad = json["num_bad"], .cooldown_left = json["cooldown_left"]};
  if (is_number("best")) state.best = json["best"].get<double>();
  return state;
}

double mean_training_loss(const nlohmann::ordered_json& history) {
  double sum = 0.0;
  std::int64_t count = 0;
  for (const auto& row : history) {
    if (!row.contains("loss") || !row["loss"].is_number()) continue;
    sum += row["loss"].get<double>();
    ++count;
  }
  return count == 0 ? 0.0 : sum / static_cast<double>(count);
}

// The last row of a finished run's log_history, as Hugging Face's trainer leaves it.
nlohmann::ordered_json closing_row(const Progress& progress, const RunFacts& facts,
                                   const RunEnd& end, const nlohmann::ordered_json& history) {
  const double seconds = std::max(end.train_seconds, 1e-9);
  const double steps_per_second = static_cast<double>(end.num_steps) / seconds;
  return {{"train_runtime", end.train_seconds},
          {"train_samples_per_second", steps_per_second * static_cast<double>(facts.rows_per_step)},
          {"train_steps_per_second", steps_per_second},
          {"total_flos", 0.0},
          {"train_loss", mean_training_loss(history)},
          {"epoch", epoch_of(progress, facts)},
          {"step", progress.num_steps}};
}

void save_model(const fs::path& folder, model::CausalLm& student, const text::Tokenizer& tokenizer,
                const Optimizer& optimizer) {
  const auto master = [&](const model::NamedParameter& parameter) {
    const at::Tensor* trained = optimizer.find_master(parameter.name);
    return trained != nullptr ? *trained : parameter.tensor->detach();  // or frozen
  };
  if (student.adapter_config() != nullptr) {
    model::save_adapter(student, folder.string(), master);
  } else {
    model::save_causal_lm(student, folder.string(),
                          student.config().dtype == "float32" ? "float32" : "bfloat16", master);
  }
  text::save_tokenizer(tokenizer, folder);
}

bool holds_a_run(const fs::path& path) {
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (name == kStateFile || name == kMetricsFile || name == "config.json" ||
        name == "adapter_config.json" || checkpoint_number(name)) {
      return true;
    }
  }
  return false;
}

void remove_run(const fs::path& path) {
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (name == kStateFile || name == kMetricsFile || name == kCompletionsFile ||
        name == kTeacherCompletionsFile || checkpoint_number(name)) {
      fs::remove_all(entry.path());
    }
  }
}

}  // namespace

RunFolder::RunFolder(fs::path path, bool resume, bool overwrite) : path_(std::move(path)) {
  make_folder(path_);
  if (overwrite) {
    remove_run(path_);
  } else if (!resume && holds_a_run(path_)) {
    throw InputError(fmt::format(
        "{}: holds another run. Choose a new training.output_dir, continue it with "
        "--training.try_resume_from_last_checkpoint true, or replace it with --overwrite.",
        path_.string()));
  }
}

std::optional<fs::path> RunFolder::last_checkpoint() const {
  std::optional<fs::path> newest;
  std::int64_t best = -1;
  for (const auto& entry : fs::directory_iterator(path_)) {
    const auto number = checkpoint_number(entry.path().filename().string());
    if (!number || *number <= best || !fs::exists(entry.path() / kStateFile)) continue;
    best = *number;
    newest = entry.path();
  }
  return newest;
}

void RunFolder::save_checkpoint(const Progress& progress, const RunFacts& facts,
                                model::CausalLm& student, const text::Tokenizer& tokenizer,
                                const Optimizer& optimizer) const {
  const fs::path folder = path_ / (kCheckpointPrefix + std::to_string(progress.num_steps));
  const fs::path temporary = folder.string() + ".tmp";
  fs::remove_all(temporary);
  make_folder(temporary);
  try {
    save_model(temporary, student, tokenizer, optimizer);
    optimizer.save((temporary / kOptimizerFile).string());
    if (progress.plateau) {
      write_file(temporary / kSchedulerFile, to_json(*progress.plateau).dump(2) + "\n");
    }
    write_file(temporary / kStateFile, trainer_state(path_, progress, facts).dump(2) + "\n");
  } catch (...) {
    fs::remove_all(temporary);
    throw;
  }
  fs::remove_all(folder);
  fs::rename(temporary, folder);
  sync_folder(path_);
}

void RunFolder::save_final_model(const Progress& progress, const RunFacts& facts, const RunEnd& end,
                                 model::CausalLm& student, const text::Tokenizer& tokenizer,
                                 const Optimizer& optimizer) const {
  save_model(path_, student, tokenizer, optimizer);
  write_file(path_ / kReadmeFile, end.model_card);
  nlohmann::ordered_json state = trainer_state(path_, progress, facts);
  state["log_history"].push_back(closing_row(progress, facts, end, state["log_history"]));
  write_file(path_ / kStateFile, state.dump(2) + "\n");
}

Progress load_checkpoint(const fs::path& checkpoint, Optimizer& optimizer) {
  const std::string file = (checkpoint / kStateFile).string();
  const auto state = nlohmann::json::parse(read_file(file), nullptr, false);
  if (!state.is_object() || !state.contains("global_step") ||
      !state["global_step"].is_number_integer()) {
    throw FormatError(file + ": /global_step is missing; the checkpoint is not whole");
  }
  optimizer.load((checkpoint / kOptimizerFile).string());
  return {.num_steps = state["global_step"].get<std::int64_t>(),
          .num_input_tokens_seen = state.value("num_input_tokens_seen", std::int64_t{0}),
          .plateau = load_plateau(checkpoint)};
}

}  // namespace aurum::train

#include "train/run_records.h"

#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/parallel.h"
#include "telemetry/run_files.h"
#include "telemetry/step_metrics.h"

namespace aurum::train {

namespace fs = std::filesystem;

namespace {

// "model name" of the first processor, where the system tells.
std::string processor_name() {
  std::ifstream stream("/proc/cpuinfo");
  for (std::string line; std::getline(stream, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string shape_text(at::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape.vec(), ", "));
}

std::string summary_of(model::CausalLm& model) {
  std::string text;
  std::int64_t total = 0;
  for (const model::NamedParameter& parameter : model.parameters()) {
    text += fmt::format("{:<60} {}\n", parameter.name, shape_text(parameter.tensor->sizes()));
    total += parameter.tensor->numel();
  }
  return fmt::format("{}, {} trainable parameters\n\n{}", model.config().model_type, total, text);
}

std::vector<double> held_out_losses(const fs::path& metrics_file) {
  std::vector<double> losses;
  if (!fs::exists(metrics_file)) return losses;
  for (const auto& line : telemetry::read_jsonl(metrics_file.string(), nullptr)) {
    const telemetry::StepMetrics metrics = telemetry::parse_step_metrics(line);
    if (metrics.is_evaluation && metrics.loss) losses.push_back(*metrics.loss);
  }
  return losses;
}

}  // namespace

void write_run_records(const fs::path& run, const std::string& effective_yaml,
                       model::CausalLm& student) {
  make_folder(run / fs::path(telemetry::kConfigFile).parent_path());
  write_file(run / telemetry::kConfigFile, effective_yaml);
  write_file(run / telemetry::kWorldSizeFile, "{\"LOCAL_WORLD_SIZE\": 1, \"WORLD_SIZE\": 1}\n");
  write_file(run / telemetry::kDevicesFile,
             fmt::format("cpu: {}, {} threads\n", processor_name(), num_threads()));
  write_file(run / telemetry::kModelSummaryFile, summary_of(student));
}

std::string model_card(const RunNames& names, const TrainerConfig& config,
                       const fs::path& metrics_file) {
  std::string text = fmt::format(
      "---\nlibrary_name: transformers\nbase_model: {0}\ntags: [gold, distillation]\n---\n\n"
      "# Student distilled by aurum\n\n"
      "{0} learned from {1} by General Online Logit Distillation.\n\n"
      "| setting | value |\n| --- | --- |\n"
      "| optimizer steps | {2} |\n| rows per step | {3} |\n| learning rate | {4} ({5}) |\n"
      "| on-policy share | {6} |\n",
      nlohmann::json(names.student).dump(), names.teacher, config.max_steps, config.rows_per_step(),
      config.schedule.peak, config.schedule.type, config.lmbda);
  const std::vector<double> losses = held_out_losses(metrics_file);
  if (losses.size() >= 2) {
    text += fmt::format("\nHeld-out distillation loss: {:.4f} before, {:.4f} after.\n",
                        losses.front(), losses.back());
  }
  return text + fmt::format("\nAll settings are in `{}`.\n", telemetry::kConfigFile);
}

}  // namespace aurum::train

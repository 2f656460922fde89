#include "cli/run_log.h"

#include <ctime>
#include <iomanip>

#include "base/files.h"
#include "telemetry/run_files.h"

namespace aurum::cli {

namespace fs = std::filesystem;

namespace {

std::string fresh_file(const fs::path& path, std::int64_t last_step) {
  telemetry::keep_lines_up_to_step(path.string(), last_step);
  return path.string();
}

void write(std::ostream& log, LogLevel level, std::string_view line) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  log << std::put_time(&local, "%F %T") << " " << log_level_name(level) << " " << line << std::endl;
}

}  // namespace

RunLog::RunLog(const fs::path& folder, const fs::path& tensorboard_folder, std::int64_t last_step,
               std::int64_t max_steps)
    : metrics_(fresh_file(folder / telemetry::kMetricsFile, last_step)),
      samples_(fresh_file(folder / telemetry::kCompletionsFile, last_step)),
      progress_line_(max_steps) {
  if (!tensorboard_folder.empty()) tensorboard_.emplace(tensorboard_folder.string());
  const fs::path log_file = folder / telemetry::kLogFile;
  make_folder(log_file.parent_path());
  log_ = std::make_shared<std::ofstream>(log_file, last_step < 0 ? std::ios::trunc : std::ios::app);
  add_log_sink([log = log_](LogLevel level, std::string_view line) { write(*log, level, line); });
}

RunLog::~RunLog() { set_log_sink({}); }

void RunLog::add(const telemetry::StepMetrics& metrics) {
  const nlohmann::ordered_json line = telemetry::to_json(metrics);
  metrics_.append(line);
  if (tensorboard_) tensorboard_->add(metrics, static_cast<double>(std::time(nullptr)));
  progress_line_.update(metrics);
  write(*log_, LogLevel::kInfo, line.dump());
}

void RunLog::add(const telemetry::CompletionSample& sample) {
  samples_.append(telemetry::to_json(sample));
}

}  // namespace aurum::cli

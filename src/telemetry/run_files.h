#pragma once

namespace aurum::telemetry {

// Files of a run folder that both the trainer and the report know.
inline constexpr const char* kMetricsFile = "metrics_rank0000.jsonl";
inline constexpr const char* kCompletionsFile = "completions.jsonl";
inline constexpr const char* kTeacherCompletionsFile = "teacher_completions.jsonl";
inline constexpr const char* kConfigFile = "telemetry/training_config.yaml";
inline constexpr const char* kLogFile = "logs/rank_0000.log";
inline constexpr const char* kWorldSizeFile = "telemetry/world_size.json";
inline constexpr const char* kDevicesFile = "telemetry/devices_info.txt";
inline constexpr const char* kModelSummaryFile = "telemetry/model_summary.txt";
inline constexpr const char* kStateFile = "trainer_state.json";

}  // namespace aurum::telemetry

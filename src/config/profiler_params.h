#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/field.h"
#include "config/values.h"

namespace aurum::config {

inline constexpr const char* kNoTorchProfiler = "torch's profiler does not run here";

struct ProfilerScheduleParams {
  bool enable_schedule = false;
  std::int64_t wait = 0;
  std::int64_t warmup = 1;
  std::int64_t active = 3;
  std::int64_t repeat = 1;
  std::int64_t skip_first = 1;

  static void fields(auto& self, auto&& visit) {
    const auto steps = [](const char* help) {
      return ignored(help, kNoTorchProfiler).at_least(0).in("steps");
    };
    visit("enable_schedule", self.enable_schedule,
          ignored("Profiles some steps only.", kNoTorchProfiler));
    visit("wait", self.wait, steps("Steps to skip in a cycle."));
    visit("warmup", self.warmup, steps("Steps to trace and discard in a cycle."));
    visit("active", self.active, steps("Steps to record in a cycle.").at_least(1));
    visit("repeat", self.repeat,
          ignored("Cycles to record; 0 goes on to the end.", kNoTorchProfiler).at_least(0));
    visit("skip_first", self.skip_first, steps("Steps before the first cycle."));
  }
};

// training.profiler: torch's profiler, which has nothing to record here.
struct ProfilerParams {
  std::optional<std::string> save_dir;
  bool enable_cpu_profiling = false;
  bool enable_cuda_profiling = false;
  bool record_shapes = false;
  bool profile_memory = false;
  bool with_stack = false;
  bool with_flops = false;
  bool with_modules = false;
  std::int64_t row_limit = 50;
  ProfilerScheduleParams schedule;

  static void fields(auto& self, auto&& visit) {
    const auto profiler = [](const char* help) { return ignored(help, kNoTorchProfiler); };
    visit("save_dir", self.save_dir, profiler("Folder of the profiler's traces."));
    visit("enable_cpu_profiling", self.enable_cpu_profiling, profiler("Records the CPU."));
    visit("enable_cuda_profiling", self.enable_cuda_profiling, profiler("Records CUDA."));
    visit("record_shapes", self.record_shapes, profiler("Records tensor shapes."));
    visit("profile_memory", self.profile_memory, profiler("Records allocations."));
    visit("with_stack", self.with_stack, profiler("Records source lines."));
    visit("with_flops", self.with_flops, profiler("Estimates operations."));
    visit("with_modules", self.with_modules, profiler("Records the module of each operation."));
    visit("row_limit", self.row_limit, profiler("Most rows of the printed table."));
    visit("schedule", self.schedule);
  }
};

// training.telemetry
struct TelemetryParams {
  std::optional<std::string> telemetry_dir = "telemetry";
  bool collect_telemetry_for_all_ranks = false;
  bool track_gpu_temperature = false;

  static void fields(auto& self, auto&& visit) {
    visit("telemetry_dir", self.telemetry_dir,
          refused("Folder in output_dir for the effective config and machine facts.",
                  "leave it at telemetry"));
    visit("collect_telemetry_for_all_ranks", self.collect_telemetry_for_all_ranks,
          ignored("Collects on every rank.", "one process trains the model"));
    visit("track_gpu_temperature", self.track_gpu_temperature,
          ignored("Records the GPU's temperature.", "models run on the CPU"));
  }
};

}  // namespace aurum::config

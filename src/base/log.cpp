#include "base/log.h"

#include <atomic>
#include <cstdio>
#include <mutex>
#include <utility>

#include "base/error.h"

namespace aurum {

namespace {

constexpr std::string_view kNames[] = {"debug", "info", "warning", "error", "silent"};

void write_to_stderr(LogLevel level, std::string_view line) {
  if (level == LogLevel::kInfo) {
    fmt::print(stderr, "{}\n", line);
  } else {
    fmt::print(stderr, "aurum: {}: {}\n", kNames[static_cast<int>(level)], line);
  }
}

std::atomic<LogLevel> threshold{LogLevel::kInfo};
std::mutex sink_mutex;
LogSink sink = write_to_stderr;

}  // namespace

LogLevel parse_log_level(std::string_view name) {
  for (int i = 0; i < 5; ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  }
  throw InputError(fmt::format(
      "log level \"{}\" is not known; use debug, info, warning, error or silent", name));
}

void set_log_level(LogLevel level) { threshold = level; }

void set_log_sink(LogSink new_sink) {
  const std::lock_guard lock(sink_mutex);
  sink = new_sink ? std::move(new_sink) : write_to_stderr;
}

void add_log_sink(LogSink also) {
  set_log_sink([also = std::move(also)](LogLevel level, std::string_view line) {
    write_to_stderr(level, line);
    also(level, line);
  });
}

std::string_view log_level_name(LogLevel level) { return kNames[static_cast<int>(level)]; }

void log_line(LogLevel level, std::string_view line) {
  if (level < threshold.load()) return;
  const std::lock_guard lock(sink_mutex);
  sink(level, line);
}

}  // namespace aurum

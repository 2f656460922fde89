#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace aurum {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kSilent };

// Parses debug, info, warning, error or silent. Throws InputError that lists them.
LogLevel parse_log_level(std::string_view name);

std::string_view log_level_name(LogLevel level);

// Where log lines go. The default writes "aurum: warning: ..." to standard error. The sink is
// called under a lock, one whole line without its newline at a time.
using LogSink = std::function<void(LogLevel level, std::string_view line)>;
void set_log_level(LogLevel level);
void set_log_sink(LogSink sink);  // empty: back to the default
// Calls `also` beside the default, for a log file next to the terminal.
void add_log_sink(LogSink also);

void log_line(LogLevel level, std::string_view line);

template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace aurum

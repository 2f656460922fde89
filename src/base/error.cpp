#include "base/error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace aurum {

void throw_errno(std::string_view path, std::string_view action, std::string_view what_now) {
  const std::string reason = std::strerror(errno);
  throw IoError(
      fmt::format("{}: {}: {}{}{}", path, action, reason, what_now.empty() ? "" : ". ", what_now));
}

namespace internal {

void check_failed(const char* condition, const char* file, int line, const std::string& detail) {
  throw InternalError(
      fmt::format("internal error: {} does not hold at {}:{}{}{}. Please report it.", condition,
                  file, line, detail.empty() ? "" : ": ", detail));
}

}  // namespace internal

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace aurum

#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace aurum {

// Root of every error that aurum throws. what() is one line that says what is wrong, where, and
// what to do now.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A configuration that cannot be honoured: unknown key, wrong type, out of range, contradiction.
class ConfigError : public Error {
 public:
  using Error::Error;
};

// Any other mistake that the user can fix: a bad argument, row or request.
class InputError : public Error {
 public:
  using Error::Error;
};

// The content of a file or of a peer's answer is wrong. The message starts with the path and,
// where there is one, a byte offset or JSON pointer.
class FormatError : public Error {
 public:
  using Error::Error;
};

// The operating system refused: missing file, full disk, closed connection.
class IoError : public Error {
 public:
  using Error::Error;
};

// Our own bug. Thrown by AURUM_CHECK only.
class InternalError : public Error {
 public:
  using Error::Error;
};

// Ctrl-C or SIGTERM reached the program; the command line turns it into exit code 130.
class Interrupted : public Error {
 public:
  using Error::Error;
};

// Throws IoError("<path>: <action>: <strerror(errno)>"). `what_now` ends the sentence.
[[noreturn]] void throw_errno(std::string_view path, std::string_view action,
                              std::string_view what_now = "");

namespace internal {
[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const std::string& detail);
}  // namespace internal

// The member of `candidates` that is closest to `word` by edit distance, or "" when none is close
// enough to be a likely typo. Cost O(candidates * word^2).
template <typename Range>
std::string nearest_word(std::string_view word, const Range& candidates);

std::size_t edit_distance(std::string_view a, std::string_view b);

template <typename Range>
std::string nearest_word(std::string_view word, const Range& candidates) {
  std::string best;
  std::size_t best_distance = word.size() / 3 + 2;
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace aurum

// Checks an invariant of our own code; the optional rest is a fmt format string with values.
#define AURUM_CHECK(condition, ...)                                   \
  do {                                                                \
    if (!(condition)) {                                               \
      ::aurum::internal::check_failed(#condition, __FILE__, __LINE__, \
                                      ::fmt::format("" __VA_ARGS__)); \
    }                                                                 \
  } while (false)

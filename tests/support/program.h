#pragma once

#include <memory>
#include <string>
#include <vector>

namespace aurum::testing_support {

struct ProgramResult {
  int exit_code = -1;  // 128 + the signal for a killed program
  std::string out, err;
};

// Runs the built `aurum` with these arguments and waits for it. `input` is its standard input.
// One thread by default keeps tests that run side by side from slowing each other.
ProgramResult run_aurum(std::vector<std::string> arguments, const std::string& input = {});

// The same, but sends SIGKILL as soon as `file` holds `num_lines` lines.
ProgramResult run_aurum_until(std::vector<std::string> arguments, const std::string& file,
                              std::size_t num_lines);

// A program that runs beside the test. The constructor waits until its standard error holds `sign`,
// and throws when it ends before.
class ProgramBeside {
 public:
  ProgramBeside(std::vector<std::string> arguments, const std::string& sign);
  ~ProgramBeside();  // stops it, too

  std::string err() const;
  ProgramResult stop();  // by SIGINT

 private:
  class Process;
  std::unique_ptr<Process> process_;
};

}  // namespace aurum::testing_support

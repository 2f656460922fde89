#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace aurum::cli {

namespace fs = std::filesystem;
using testing_support::ProgramResult;
using testing_support::run_aurum;
using testing_support::run_aurum_until;

inline std::string read_bytes(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class TrainCommand : public testing::Test {
 protected:
  TrainCommand() { testing_support::write_tiny_run(folder_.path(), 8); }

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::vector<std::string> command(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"train", "-c", path("config.yaml")});
    return more;
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  // The same with an adapter on all linear layers.
  std::vector<std::string> adapter_command(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments =
        command({"--training.use_peft", "true", "--peft.lora_target_modules", "[all-linear]",
                 "--peft.lora_r", "4", "--peft.lora_alpha", "16"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::vector<double> evaluations(const std::string& run) const {
    std::vector<double> losses;
    for (const auto& line : metrics(run)) {
      if (line.contains("eval_loss")) losses.push_back(line["eval_loss"]);
    }
    return losses;
  }
  std::vector<nlohmann::json> metrics(const std::string& run) const {
    std::vector<nlohmann::json> lines;
    std::ifstream stream(path(run + "/metrics_rank0000.jsonl"));
    for (std::string line; std::getline(stream, line);)
      lines.push_back(nlohmann::json::parse(line));
    return lines;
  }

  // Kills a run at `num_lines` lines of metrics: resumed, it ends as the run in "whole".
  void expect_resumes(std::vector<std::string> arguments, const std::string& result_file,
                      std::size_t num_lines) const {
    const std::string run = "killed-" + std::to_string(num_lines);
    arguments.insert(arguments.end(), {"--training.output_dir", path(run),
                                       "--training.try_resume_from_last_checkpoint", "true"});
    EXPECT_EQ(
        run_aurum_until(arguments, path(run + "/metrics_rank0000.jsonl"), num_lines).exit_code,
        128 + 9);
    ASSERT_FALSE(fs::exists(path(run + "/" + result_file)));
    const ProgramResult resumed = run_aurum(arguments);
    ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_EQ(read_bytes(path(run + "/" + result_file)), read_bytes(path("whole/" + result_file)))
        << num_lines << " lines";
    EXPECT_EQ(metrics(run).size(), metrics("whole").size());
  }

  testing_support::TemporaryFolder folder_;
};

}  // namespace aurum::cli

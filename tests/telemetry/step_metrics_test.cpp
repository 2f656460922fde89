#include "telemetry/step_metrics.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"

namespace aurum::telemetry {
namespace {

std::string fresh_file(const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / name;
  std::filesystem::remove(path);
  return path.string();
}

TEST(StepMetrics, SurvivesTheFileExactly) {
  StepMetrics metrics{.is_evaluation = true, .step = 7, .epoch = 0.1, .loss = 1.0 / 3.0};
  metrics.seconds = {{"teacher", 0.1 + 0.2}};
  metrics.peak_memory_bytes = 5'000'000'001;
  const auto line = nlohmann::ordered_json::parse(to_json(metrics).dump());
  EXPECT_TRUE(line.contains("eval_loss"));
  EXPECT_FALSE(line.contains("grad_norm"));
  const StepMetrics read = parse_step_metrics(line);
  EXPECT_TRUE(read.is_evaluation);
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.loss, metrics.loss);
  EXPECT_EQ(read.seconds, metrics.seconds);
  EXPECT_EQ(read.peak_memory_bytes, metrics.peak_memory_bytes);
  EXPECT_FALSE(read.on_policy_loss.has_value());
}

TEST(Jsonl, ResumingDropsLaterStepsAndATornLine) {
  const std::string path = fresh_file("resume.jsonl");
  write_file(path, "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"ste");
  std::int64_t bad = 0;
  EXPECT_EQ(read_jsonl(path, &bad).size(), 3u);
  EXPECT_EQ(bad, 1);
  keep_lines_up_to_step(path, 2);
  JsonlWriter(path).append({{"step", 3}});
  EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
}

TEST(Jsonl, MissingFileIsAnError) {
  EXPECT_THROW(read_jsonl(fresh_file("none.jsonl"), nullptr), IoError);
}

}  // namespace
}  // namespace aurum::telemetry

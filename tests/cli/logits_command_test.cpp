#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"
#include "weights/checkpoint.h"

namespace aurum::cli {
namespace {

using testing::HasSubstr;
using testing_support::ProgramResult;
using testing_support::run_aurum;

class LogitsCommand : public testing::Test {
 protected:
  LogitsCommand() { testing_support::write_tiny_model(folder_.path() / "model"); }

  std::string output() const { return (folder_.path() / "logits.safetensors").string(); }
  ProgramResult logits(const std::string& input, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"logits", "--model", (folder_.path() / "model").string(),
                                          "--output", output()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_aurum(arguments, input);
  }
  std::vector<float> values(const std::string& name) const {
    const auto file = weights::SafetensorsFile::open(output());
    const weights::TensorView* view = file->find(name);
    if (view == nullptr) return {};
    std::vector<float> result(static_cast<std::size_t>(view->num_values()));
    weights::dequantize_to_float32(*view, 0, result);
    return result;
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(LogitsCommand, BatchesChangeNoValues) {
  std::string rows;
  for (int i = 0; i < 12; ++i) {
    rows += "{\"ids\": [" + std::to_string(i + 1);
    for (int k = 0; k < i * 20; ++k) rows += ", " + std::to_string((i * k) % 250);
    rows += "]}\n";
  }
  ASSERT_EQ(logits(rows).exit_code, 0);
  std::vector<std::vector<float>> alone;
  for (int i = 0; i < 12; ++i) alone.push_back(values("logits." + std::to_string(i)));
  for (const char* padding : {"left", "right"}) {
    ASSERT_EQ(logits(rows, {"--batch", "5", "--padding", padding}).exit_code, 0);
    for (std::size_t i = 0; i < alone.size(); ++i) {
      const auto together = values("logits." + std::to_string(i));
      ASSERT_EQ(together.size(), alone[i].size());
      ASSERT_FALSE(together.empty());
      for (std::size_t k = 0; k < together.size(); ++k) {
        ASSERT_NEAR(together[k], alone[i][k], 1e-5F * std::abs(alone[i][k]) + 1e-5F);
      }
    }
  }
}

TEST_F(LogitsCommand, AnswersBadLinesInTheirPlace) {
  const ProgramResult result =
      logits("{\"ids\": [1]}\nnonsense\n\n{\"ids\": [99999999]}\n{\"ids\": []}\n{\"ids\": [2]}\n");
  EXPECT_EQ(result.exit_code, 2);
  std::vector<std::int64_t> lines;
  std::istringstream stream(result.out);
  for (std::string line; std::getline(stream, line);) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_TRUE(json.contains("error"));
    lines.push_back(json.at("line"));
  }
  EXPECT_THAT(lines, testing::ElementsAre(2, 4, 5));
  EXPECT_FALSE(values("logits.0").empty());
  EXPECT_TRUE(values("logits.1").empty());
  EXPECT_FALSE(values("logits.4").empty());
}

TEST_F(LogitsCommand, WritesNothingWhenItCannotStart) {
  EXPECT_EQ(logits("").exit_code, 2);
  EXPECT_EQ(logits("{\"ids\": [-1]}\n").exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(output()));
  EXPECT_THAT(logits("{\"ids\": [1]}\n", {"--dtype", "float8"}).err, HasSubstr("--dtype"));
}

}  // namespace
}  // namespace aurum::cli

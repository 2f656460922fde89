#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace aurum::cli {
namespace {

using testing::HasSubstr;
using testing_support::run_aurum;

class InspectCommand : public testing::Test {
 protected:
  InspectCommand() { testing_support::write_tiny_model(folder_.path()); }
  nlohmann::json inspect(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"inspect", folder_.path().string(), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = run_aurum(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return nlohmann::json::parse(result.out);
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(InspectCommand, TellsWhatTheModelIs) {
  const auto json = inspect();
  EXPECT_EQ(json["model"]["model_type"], "llama");
  EXPECT_EQ(json["model"]["hidden_size"], 32);
  EXPECT_EQ(json["tokenizer"]["eos"]["token"], "<|im_end|>");
  EXPECT_EQ(json["chat_templates"].size(), 1U);
  EXPECT_TRUE(json["unsupported"].empty());
}

TEST_F(InspectCommand, PartsOfTheMemoryAddUpAndGrowWithTheWork) {
  const auto small = inspect({"--context", "16", "--tokens", "16"})["model"]["memory"];
  const auto large = inspect({"--context", "4096", "--tokens", "4096"})["model"]["memory"];
  for (const char* use : {"score", "generate", "train"}) {
    const auto& estimate = small[use]["bfloat16"];
    std::int64_t sum = 0;
    for (const char* part : {"program", "file", "weights", "optimizer", "working"}) {
      sum += estimate[part].get<std::int64_t>();
    }
    EXPECT_EQ(estimate["total"], sum) << use;
    EXPECT_GT(large[use]["bfloat16"]["total"], estimate["total"]) << use;
  }
}

TEST_F(InspectCommand, SaysWhyAPartIsUnsupported) {
  write_file(folder_.path() / "config.json", "{\"model_type\": \"mamba\"}");
  const auto json = inspect();
  EXPECT_EQ(json["unsupported"][0]["what"], "model");
  EXPECT_THAT(json["unsupported"][0]["why"].get<std::string>(), HasSubstr("supported: llama"));
  EXPECT_TRUE(json.contains("tokenizer"));
}

}  // namespace
}  // namespace aurum::cli

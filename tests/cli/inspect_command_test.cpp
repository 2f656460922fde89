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
  const std::vector<std::pair<std::string, std::string>> uses = {
      {"score", "bfloat16"},           {"score", "float32"},
      {"generate", "bfloat16"},        {"train", "full"},
      {"train", "full_checkpointing"}, {"train", "lora"},
      {"train", "lora_checkpointing"}};
  for (const auto& [use, kind] : uses) {
    const auto& estimate = small[use][kind];
    std::int64_t sum = 0;
    for (const char* part : {"program", "file", "weights", "optimizer", "working"}) {
      sum += estimate[part].get<std::int64_t>();
    }
    EXPECT_EQ(estimate["total"], sum) << use << ' ' << kind;
    EXPECT_GT(large[use][kind]["total"], estimate["total"]) << use << ' ' << kind;
  }
}

TEST_F(InspectCommand, PredictsLessForCheckpointingAndAdaptersAndMoreForATeacher) {
  const auto alone = inspect({"--tokens", "4096"})["model"]["memory"]["train"];
  const auto taught = inspect({"--tokens", "4096", "--teacher", folder_.path().string()});
  EXPECT_LT(alone["full_checkpointing"]["total"], alone["full"]["total"]);
  EXPECT_LT(alone["lora"]["optimizer"], alone["full"]["optimizer"]);
  EXPECT_GT(alone["lora"]["optimizer"], 0);
  EXPECT_GT(taught["model"]["memory"]["train"]["full"]["total"], alone["full"]["total"]);
  const auto high = inspect({"--lora-rank", "64"})["model"]["memory"]["train"];
  EXPECT_EQ(high["lora"]["optimizer"], 8 * alone["lora"]["optimizer"].get<std::int64_t>());
}

TEST_F(InspectCommand, ListsTheUsesOfTheModel) {
  EXPECT_EQ(inspect()["model"]["uses"],
            nlohmann::json({"score", "generate", "teach", "train", "train with LoRA"}));
}

TEST(InspectSparse, SaysThatItCanTeachButNotBeTrained) {
  const std::string golden = std::string(AURUM_SOURCE_DIR) + "/tests/golden/model/";
  for (const char* model : {"qwen3_moe_gguf.gguf", "gpt_oss_gguf.gguf", "gpt_oss_mxfp4"}) {
    const auto result = run_aurum({"inspect", golden + model, "--json"});
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["model"]["uses"], nlohmann::json({"score", "generate", "teach"})) << model;
    EXPECT_FALSE(json["model"]["memory"].contains("train")) << model;
    EXPECT_EQ(json["unsupported"][0]["what"], "training") << model;
    EXPECT_THAT(json["unsupported"][0]["why"].get<std::string>(), HasSubstr("sparse layers"));
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

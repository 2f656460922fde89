#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "config/training_config.h"
#include "tests/config/config_text.h"

namespace aurum::config {
namespace {

using ::testing::HasSubstr;

TEST(ConfigWriter, ShownConfigReadsBack) {
  const TrainingConfig config = parse(
      "training: {learning_rate: 3e-7, run_name: 'a: \"b\" # c', trainer_kwargs: {\"a b\": [1, x], "
      "c: {d: 0.5}, \"on\": [{e: 1}, []]}}\n"
      "deepspeed: {zero_stage: ZERO_3, offload_param: {device: NVME}}\n"
      "data: {train: {datasets: [{dataset_name: a}, {dataset_name: b}]}}");
  const std::string text = to_yaml(config);
  const TrainingConfig again = parse_training_config(text, "shown.yaml");
  EXPECT_EQ(to_yaml(again), text);
  EXPECT_EQ(again.training.trainer_kwargs, config.training.trainer_kwargs);
  EXPECT_EQ(again.training.run_name, "a: \"b\" # c");
  EXPECT_EQ(again.deepspeed.offload_param->device, "NVME");
  EXPECT_EQ(to_yaml(parse_training_config(to_yaml(config, true), "shown.yaml")), text);
}

TEST(ConfigWriter, WritesNumbersThatEveryYamlReaderTakesForNumbers) {
  const std::string text = to_yaml(parse("training: {learning_rate: 3e-7}"));
  EXPECT_THAT(text, HasSubstr("\n  learning_rate: 3.0e-07\n"));
  EXPECT_THAT(text, HasSubstr("\n  eval_steps: 500\n"));
  EXPECT_THAT(text, HasSubstr("\n    temperature: 0.9\n"));
}

// Made with GoldParams.to_hf_trainer_kwargs() by tools/make_config_golden.py.
TEST(ConfigWriter, ExportsWhatOumiHandsToTrl) {
  const Json cases = Json::parse(
      read_file(std::string(AURUM_SOURCE_DIR) + "/tests/golden/config/trl_arguments.json"));
  for (const Json& item : cases) {
    const auto yaml = item["yaml"].get<std::string>();
    const Json ours = to_trl_arguments(parse_training_config(yaml, "case.yaml"));
    // Key order is no part of a JSON mapping.
    EXPECT_EQ(nlohmann::json(ours), nlohmann::json(item["arguments"])) << yaml;
  }
}

TEST(ConfigWriter, ExportsTrainerArgumentsAndKeysOfOursThatAreSet) {
  const Json arguments = to_trl_arguments(
      parse("training: {trainer_type: TRL_GOLD, gold: {uld_token_merge_strategy: bayesian}, "
            "trainer_kwargs: {num_generations: 2, max_length: 64}}"));
  EXPECT_EQ(arguments["uld_token_merge_strategy"], "bayesian");
  EXPECT_EQ(arguments["num_generations"], 2);
  EXPECT_EQ(arguments["max_length"], 64);
  EXPECT_FALSE(arguments.contains("teacher_prompt"));
  EXPECT_FALSE(arguments.contains("compat"));
}

TEST(ConfigWriter, ExportsObservedMergingForCompatTrl) {
  EXPECT_EQ(to_trl_arguments(parse("training: {gold: {compat: trl}}"))["uld_token_merge_strategy"],
            "observed");
}

}  // namespace
}  // namespace aurum::config

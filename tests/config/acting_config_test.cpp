#include "config/acting_config.h"

#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace aurum::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Overrides = std::vector<std::pair<std::string, std::string>>;

std::string write_config(const std::string& text) {
  const std::string path = testing::TempDir() + "/" +
                           testing::UnitTest::GetInstance()->current_test_info()->name() + ".yaml";
  std::ofstream(path) << text;
  return path;
}

TrainingConfig load(const std::string& text, const Overrides& overrides = {}) {
  return load_training_config(write_config("model: {model_name: m}\n" + text), overrides);
}

std::string error_of(const std::string& text, const Overrides& overrides = {}) {
  try {
    load(text, overrides);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ActingConfigTest, ReadsNestedKeysAndKeepsOumiDefaults) {
  const TrainingConfig config = load(
      "training:\n  trainer_type: TRL_GOLD\n  learning_rate: 1e-4\n"
      "  gold: {beta: \"0.25\", uld_hybrid_matched_weight: null}\n"
      "data: {train: {datasets: [{dataset_name: a, dataset_path: rows.jsonl}]}}\n");
  EXPECT_EQ(config.training.learning_rate, 1e-4);
  EXPECT_EQ(config.training.gold.beta, 0.25);
  EXPECT_EQ(config.training.gold.temperature, 0.9);
  EXPECT_EQ(config.training.logging_steps, 50);
  EXPECT_EQ(config.data.train.datasets.at(0).dataset_path, "rows.jsonl");
}

TEST(ActingConfigTest, NamesTheLineAndTheNearestKey) {
  const std::string error = error_of("training:\n  gold:\n    btea: 0.5\n");
  EXPECT_THAT(error, HasSubstr(".yaml:4:"));
  EXPECT_THAT(error, HasSubstr("training.gold.beta"));
}

TEST(ActingConfigTest, RefusesWrongTypes) {
  for (const char* training : {"max_steps: 1.5", "use_peft: 3", "output_dir: null",
                               "trainer_kwargs: 3", "trainer_type: NONE_SUCH"}) {
    EXPECT_THAT(error_of(fmt::format("training: {{{}}}", training)), HasSubstr(".yaml:2"))
        << training;
  }
}

TEST(ActingConfigTest, EnforcesRanges) {
  EXPECT_THAT(error_of("training: {gold: {temperature: 0}}"), HasSubstr("(0, 1]"));
  for (const char* gold :
       {"beta: .nan", "beta: 1.1", "lmbda: -0.1", "top_k: -1", "max_completion_length: 0",
        "vllm_mode: other", "top_p: .inf", "use_uld_loss: true, uld_student_temperature: 0",
        "uld_hybrid_matched_weight: 0.5", "vllm_sync_frequency: 0",
        "vllm_gpu_memory_utilization: 0",
        "uld_hybrid_matched_weight: .nan, "
        "uld_hybrid_unmatched_weight: 1"}) {
    EXPECT_NE(error_of(fmt::format("training: {{gold: {{{}}}}}", gold)), "no error") << gold;
  }
}

TEST(ActingConfigTest, RefusesContradictionsAndImpossibleSizes) {
  EXPECT_THAT(error_of("training: {mixed_precision_dtype: BF16}"), HasSubstr("torch_dtype_str"));
  EXPECT_THAT(error_of("training: {per_device_train_batch_size: 0}"), HasSubstr("[1, inf]"));
  EXPECT_THAT(error_of("training: {learning_rate: .nan}"), HasSubstr("learning_rate"));
}

TEST(ActingConfigTest, OverridesReachListItemsAndMissingSections) {
  const TrainingConfig config =
      load("data: {train: {datasets: [{dataset_name: a}]}}",
           {{"data.train.datasets[0].dataset_path", "b.jsonl"}, {"training.gold.beta", "0.125"}});
  EXPECT_EQ(config.data.train.datasets.at(0).dataset_name, "a");
  EXPECT_EQ(config.data.train.datasets.at(0).dataset_path, "b.jsonl");
  EXPECT_EQ(config.training.gold.beta, 0.125);
}

TEST(ActingConfigTest, ListsKeysWithoutEffect) {
  EXPECT_THAT(load("training: {compile: true, max_steps: 3}").keys_without_effect,
              ElementsAre("training.compile"));
}

TEST(ActingConfigTest, ShownConfigReadsBack) {
  const TrainingConfig config = load(
      "training: {trainer_kwargs: {c: {d: 0.5}}, learning_rate: 3e-7}\n"
      "data: {train: {datasets: [{dataset_name: a}, {dataset_name: b}]}}");
  const TrainingConfig again = load_training_config(write_config(config.effective_yaml), {});
  EXPECT_EQ(again.effective_yaml, config.effective_yaml);
  EXPECT_EQ(again.training.learning_rate, 3e-7);
}

TEST(ActingConfigTest, ExportLeavesUnsetKeysOut) {
  const auto arguments = nlohmann::json::parse(
      export_trl(load("training: {gold: {teacher_model_init_kwargs: {revision: x}}}")));
  EXPECT_FALSE(arguments.contains("teacher_model_name_or_path"));
  EXPECT_FALSE(arguments.contains("uld_hybrid_matched_weight"));
  EXPECT_EQ(arguments.at("teacher_model_init_kwargs").at("torch_dtype"), "auto");
}

TEST(ActingConfigTest, DemosAreValid) {
  for (const char* name : {"demo.yaml", "demo-gemma.yaml"}) {
    const std::string path = std::string(AURUM_SOURCE_DIR) + "/configs/" + name;
    EXPECT_THAT(load_training_config(path, {}).keys_without_effect, ElementsAre()) << name;
  }
}

}  // namespace
}  // namespace aurum::config

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace aurum::cli {
namespace {

using ::testing::HasSubstr;
using testing_support::ProgramResult;
using testing_support::run_aurum;

const std::string kGolden = std::string(AURUM_SOURCE_DIR) + "/tests/golden/config/";

class ConfigCommand : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = (folder_.path() / name).string();
    std::ofstream(path) << text;
    return path;
  }
  std::string show(const std::string& file, std::vector<std::string> more) const {
    more.insert(more.begin(), {"config", "show", "-c", file});
    const ProgramResult result = run_aurum(more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  testing_support::TemporaryFolder folder_;
};

TEST_F(ConfigCommand, AcceptsOumisExamples) {
  for (const char* name : {"gold_shared_vocabulary.yaml", "gold_colocated_engine.yaml"}) {
    const ProgramResult result = run_aurum({"config", "check", kGolden + name});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, kGolden + name + ": ok\n");
  }
}

TEST_F(ConfigCommand, SaysOneLinePerFileAndFailsWhenOneFails) {
  const std::string good = write("good.yaml", "model: {model_name: m}\n");
  const std::string bad = write("bad.yaml", "model: {model_name: m}\ntraining:\n  max_steps: x\n");
  const std::string empty = write("empty.yaml", "");
  const ProgramResult result = run_aurum({"config", "check", bad, good, empty, "/no/such.yaml"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.out, HasSubstr(bad + ":3: training.max_steps must be a whole number"));
  EXPECT_THAT(result.out, HasSubstr("\n" + good + ": ok\n"));
  EXPECT_THAT(result.out, HasSubstr("\n" + empty + ": model.model_name is missing"));
  EXPECT_THAT(result.out, HasSubstr("\n/no/such.yaml: "));
}

TEST_F(ConfigCommand, ListsTheClassesOfKeys) {
  const ProgramResult text = run_aurum({"config", "check", kGolden + "gold_colocated_engine.yaml"});
  EXPECT_THAT(text.err, HasSubstr("model.attn_implementation has no effect here"));
  EXPECT_THAT(text.err, HasSubstr("these keys act: model.model_name, model.model_max_length"));
  const ProgramResult result =
      run_aurum({"config", "check", "--json", kGolden + "gold_colocated_engine.yaml"});
  const auto report = nlohmann::json::parse(result.out);
  EXPECT_TRUE(report["ok"].get<bool>());
  EXPECT_GT(report["acts"].size(), 20U);
  EXPECT_THAT(report["no_effect"][0]["place"].get<std::string>(), HasSubstr(".yaml:"));
}

TEST_F(ConfigCommand, SaysWhichFilesAreMissing) {
  const std::string here = write("rows.jsonl", "{}\n");
  const std::string file =
      write("x.yaml",
            "model: {model_name: ./no-student}\ndata:\n  train:\n    datasets:\n"
            "      - {dataset_name: a, dataset_path: " +
                here +
                "}\n"
                "      - {dataset_name: b, dataset_path: none.jsonl}\n"
                "training: {gold: {teacher_model_name_or_path: org/teacher}}\n");
  const ProgramResult text = run_aurum({"config", "check", file});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(text.err, HasSubstr(":1: model.model_name: there is no ./no-student"));
  EXPECT_THAT(text.err,
              HasSubstr(":6: data.train.datasets[1].dataset_path: there is no none.jsonl"));
  const auto report = nlohmann::json::parse(run_aurum({"config", "check", "--json", file}).out);
  EXPECT_EQ(report["missing"].size(), 2U);
}

TEST_F(ConfigCommand, ChecksTheRegexOfRollouts) {
  const std::string file = write(
      "x.yaml", "model: {model_name: m}\ntraining:\n  gold: {vllm_guided_decoding_regex: 'a{2'}\n");
  EXPECT_EQ(run_aurum({"config", "check", file}).exit_code, 0);  // a literal brace
  const std::string bad = write(
      "y.yaml", "model: {model_name: m}\ntraining:\n  gold: {vllm_guided_decoding_regex: '(a'}\n");
  const ProgramResult result = run_aurum({"config", "check", bad});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.out, HasSubstr(":3: training.gold.vllm_guided_decoding_regex: at 0: this ("));
}

TEST_F(ConfigCommand, LaysShortOptionsOverDottedKeysOverTheFile) {
  const std::string file =
      write("x.yaml", "model: {model_name: m}\ntraining: {max_steps: 1, seed: 1, data_seed: 1}\n");
  const std::string shown =
      show(file, {"--training.max_steps", "2", "--max-steps", "3", "--training.seed=4",
                  "training.gold.beta=0.25", "data.train.datasets[0].split=x", "--dataset",
                  "rows.jsonl", "--model-name", "on", "--output-dir", "a: b", "--batch-size", "5",
                  "--learning-rate", "1e-3"});
  for (const char* line :
       {"\n  max_steps: 3\n", "\n  seed: 4\n", "\n  data_seed: 1\n", "\n    beta: 0.25\n",
        "    - dataset_name: \"text_sft_jsonl\"\n        dataset_path: \"rows.jsonl\"\n",
        "        split: \"x\"\n", "\n  model_name: \"on\"\n", "\n  output_dir: \"a: b\"\n",
        "\n  per_device_train_batch_size: 5\n", "\n  learning_rate: 0.001\n"}) {
    EXPECT_THAT(shown, HasSubstr(line));
  }
}

TEST_F(ConfigCommand, WrongCommandLinesAreTheUsersMistake) {
  const std::string file = write("x.yaml", "model: {model_name: m}\n");
  const struct {
    std::vector<std::string> arguments;
    const char* error;
  } cases[] = {{{"--training.gold.betta", "1"}, "training.gold.beta?"},
               {{"--training.gold.beta", "7"}, "must be a number in [0, 1], found 7"},
               {{"--training.gold.beta"}, "a value is missing"},
               {{"--training.seed", "--max-steps", "1"}, "a value is missing"},
               {{"--max-steps", "x"}, "training.max_steps must be a whole number"}};
  for (const auto& item : cases) {
    std::vector<std::string> arguments = {"config", "show", "-c", file};
    arguments.insert(arguments.end(), item.arguments.begin(), item.arguments.end());
    const ProgramResult result = run_aurum(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr(item.error));
  }
}

TEST_F(ConfigCommand, ExportsArgumentsOfTrl) {
  const ProgramResult result = run_aurum(
      {"config", "export", "--format", "trl", "-c", kGolden + "gold_shared_vocabulary.yaml"});
  const auto arguments = nlohmann::json::parse(result.out);
  EXPECT_EQ(arguments["max_completion_length"], 512);
  EXPECT_FALSE(arguments.contains("teacher_model_name_or_path"));
  EXPECT_EQ(run_aurum({"config", "export", "--format", "x", "-c",
                       kGolden + "gold_shared_vocabulary.yaml"})
                .exit_code,
            2);
}

TEST_F(ConfigCommand, TrainListsItsKeysAndRefusesOtherTrainers) {
  EXPECT_THAT(run_aurum({"train", "--help"}).out, HasSubstr("training.gold.lmbda\n"));
  const std::string file = write("x.yaml", "model: {model_name: m}\n");
  const ProgramResult absent = run_aurum({"train", "-c", file});
  EXPECT_EQ(absent.exit_code, 2);
  EXPECT_THAT(absent.err, HasSubstr("write training.trainer_type: TRL_GOLD"));
  const ProgramResult other = run_aurum({"train", "-c", file, "--training.trainer_type", "HF"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("only TRL_GOLD is there"));
}

}  // namespace
}  // namespace aurum::cli

#include "config/training_config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "config/section.h"
#include "config/section_reader.h"
#include "config/support.h"
#include "tests/config/config_text.h"
#include "tests/support/temporary_folder.h"

namespace aurum::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TrainingConfig, ReadsNestedKeysAndKeepsOumiDefaults) {
  const TrainingConfig config = parse(
      "training:\n  trainer_type: trl_gold\n  learning_rate: 1e-4\n"
      "  gold: {beta: \"0.25\", uld_hybrid_matched_weight: null}\n"
      "data: {train: {datasets: [{dataset_name: a, dataset_path: rows.jsonl}]}}\n");
  EXPECT_EQ(config.training.trainer_type, "TRL_GOLD");
  EXPECT_EQ(config.training.learning_rate, 1e-4);
  EXPECT_EQ(config.training.gold.beta, 0.25);
  EXPECT_EQ(config.training.gold.temperature, 0.9);
  EXPECT_EQ(config.training.logging_steps, 50);
  EXPECT_EQ(config.data.train.datasets.at(0).dataset_path, "rows.jsonl");
}

TEST(TrainingConfig, TakesAnUnquotedNoAsTheWordAmongChoices) {
  const TrainingConfig config = parse("training: {trainer_type: TRL_GOLD, eval_strategy: no}\n");
  EXPECT_EQ(config.training.eval_strategy, "no");
}

TEST(TrainingConfig, KnowsEveryKeyOfOumi) {
  std::size_t num_keys = 0;
  std::size_t num_without_help = 0;
  TrainingConfig config;
  for_each_key(
      bind(config),
      [&](const std::string&, const Entry& entry) {
        ++num_keys;
        num_without_help += entry.field.help.empty() ? 1 : 0;
        if (entry.field.effect != Effect::kActs) num_without_help += entry.field.note.empty();
      },
      true);
  EXPECT_EQ(num_keys, 299U);  // Oumi's 295 and four of ours
  EXPECT_EQ(num_without_help, 0U);
}

// Every case is a file, and what Oumi says of it; tools/make_config_golden.py makes them.
TEST(TrainingConfig, ReadsFilesAsOumiDoes) {
  const std::string lines =
      read_file(std::string(AURUM_SOURCE_DIR) + "/tests/golden/config/oumi.jsonl");
  std::size_t begin = 0;
  for (std::size_t end; (end = lines.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const Json golden = Json::parse(lines.substr(begin, end - begin));
    const auto yaml = golden["yaml"].get<std::string>();
    std::string error;
    TrainingConfig config;
    try {
      config = parse_training_config(yaml, "case.yaml");
      check_complete(config);
    } catch (const ConfigError& e) {
      error = e.what();
      EXPECT_THAT(error, HasSubstr("case.yaml")) << yaml;
    }
    EXPECT_EQ(error.empty(), golden["ok"].get<bool>()) << yaml << error;
    if (!error.empty() || !golden["ok"].get<bool>()) continue;
    for (const auto& [path, value] : golden["values"].items()) {
      EXPECT_EQ(value_at(config, path), value) << yaml << path;
    }
  }
}

TEST(TrainingConfig, NamesTheLineAndTheNearestKey) {
  EXPECT_EQ(error_of("training:\n  gold:\n    btea: 0.5\n"),
            "run.yaml:4: training.gold.btea is no key; did you mean training.gold.beta?");
  EXPECT_THAT(error_of("training:\n  beta: 0.5\n"), HasSubstr("did you mean training.gold.beta?"));
  EXPECT_THAT(error_of("gold: {}"), HasSubstr("run.yaml:2: gold is no key"));
}

TEST(TrainingConfig, NamesTheLineOfAWrongValue) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"training:\n  max_steps: 1.5",
       "run.yaml:3: training.max_steps must be a whole number >= -1 (steps), found 1.5"},
      {"training:\n  use_peft: maybe", "run.yaml:3: training.use_peft must be true or false"},
      {"training:\n  output_dir:", "run.yaml:3: training.output_dir must be text, found null"},
      {"training:\n  trainer_kwargs: 3", "run.yaml:3: training.trainer_kwargs must be a mapping"},
      {"training:\n  gold:\n    temperature: 0",
       "run.yaml:4: training.gold.temperature must be a number in (0, 1], found 0"},
      {"training:\n  gold: {beta: .nan}",
       "run.yaml:3: training.gold.beta must be a number in [0, 1]"},
      {"training:\n  eval_strategy: always",
       "run.yaml:3: training.eval_strategy must be one of no, steps, epoch, found \"always\""},
      {"data:\n  train:\n    datasets:\n      - dataset_name: a\n        sample_count: x",
       "run.yaml:6: data.train.datasets[0].sample_count must be a whole number >= 0 (rows) or "
       "null"},
      {"data:\n  train:\n    datasets:\n      - split: a",
       "run.yaml:5: data.train.datasets[0].dataset_name is missing"},
      {"training: {gold: {vllm_mode: x}}", "one of server, colocate"},
      {"training: {gold: {vllm_gpu_memory_utilization: 0}}", "(0, 1]"}};
  for (const auto& item : cases) EXPECT_THAT(error_of(item.text), HasSubstr(item.error));
}

TEST(TrainingConfig, RefusesContradictionsByTheLineOfOne) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"training:\n  mixed_precision_dtype: BF16",
       "run.yaml:3: training.mixed_precision_dtype: BF16 needs the model in float32"},
      {"fsdp: {enable_fsdp: true}\ndeepspeed:\n  enable_deepspeed: true",
       "run.yaml:4: fsdp.enable_fsdp and deepspeed.enable_deepspeed exclude each other"},
      {"training:\n  gold:\n    uld_hybrid_matched_weight: 1",
       "run.yaml:4: training.gold.uld_hybrid_matched_weight and uld_hybrid_unmatched_weight go"},
      {"training:\n  gold:\n    use_uld_loss: true\n    uld_teacher_temperature: 0",
       "run.yaml:5: training.gold.uld_teacher_temperature must be a number > 0, found 0"},
      {"training:\n  lr_scheduler_type: polynomial\n  lr_scheduler_kwargs: {num_cycles: 2}",
       "run.yaml:4: training.lr_scheduler_kwargs.num_cycles is no option of the schedule "
       "polynomial; it has lr_end, power"},
      {"training:\n  lr_scheduler_kwargs: {num_cycles: 2}", "the schedule linear has no options"},
      {"training:\n  lr_scheduler_type: polynomial\n  lr_scheduler_kwargs: {power: [2]}",
       "training.lr_scheduler_kwargs.power must be a number from 0 to 1e+15, found [2]"},
      {"training:\n  lr_scheduler_type: polynomial\n  lr_scheduler_kwargs: {power: .inf}",
       "must be a number from 0 to 1e+15, found inf"},
      {"training:\n  lr_scheduler_type: inverse_sqrt\n"
       "  lr_scheduler_kwargs: {timescale: 9000000000000000000}",
       "must be a whole number from 1 to 1e+15, found"},
      {"training:\n  lr_scheduler_type: polynomial\n  lr_scheduler_kwargs: {lr_end: 1.0}",
       "lr_end (1) must be below training.learning_rate (5e-05)"},
      {"training:\n  lr_scheduler_type: warmup_stable_decay", "needs it"},
      {"training:\n  lr_scheduler_type: warmup_stable_decay\n"
       "  lr_scheduler_kwargs: {num_decay_steps: 2, decay_type: sqrt}",
       "decay_type must be one of linear, cosine, 1-sqrt, found \"sqrt\""},
      {"training:\n  lr_scheduler_type: cosine_with_min_lr", "needs one of min_lr and min_lr_rate"},
      {"training:\n  lr_scheduler_type: reduce_lr_on_plateau",
       "follows the evaluation loss: set training.eval_strategy"},
      {"training:\n  gold:\n    num_generations: 3",
       "run.yaml:4: training.gold.num_generations: 3 does not divide the 8 rows of a step"}};
  for (const auto& item : cases) EXPECT_THAT(error_of(item.text), HasSubstr(item.error));
}

TEST(TrainingConfig, TakesNullScheduleOptionsForTheirDefaults) {
  for (const char* text :
       {"training:\n  lr_scheduler_type: polynomial\n  lr_scheduler_kwargs: {lr_end: null}",
        "training:\n  lr_scheduler_type: reduce_lr_on_plateau\n  eval_strategy: steps\n"
        "  lr_scheduler_kwargs: {factor: null}"}) {
    EXPECT_NO_THROW(parse(text, {})) << text;
  }
}

TEST(TrainingConfig, OverridesReachListItemsAndMissingSections) {
  const TrainingConfig config = parse("data: {train: {datasets: [{dataset_name: a}]}}",
                                      {{"data.train.datasets[0].dataset_path", "b.jsonl"},
                                       {"data.train.datasets.1.dataset_name", "c"},
                                       {"training.gold.beta", "0.125"},
                                       {"training.gold.beta", "0.25"},
                                       {"training.trainer_kwargs.max_length", "9"}});
  EXPECT_EQ(config.data.train.datasets.at(0).dataset_name, "a");
  EXPECT_EQ(config.data.train.datasets.at(0).dataset_path, "b.jsonl");
  EXPECT_EQ(config.data.train.datasets.at(1).dataset_name, "c");
  EXPECT_EQ(config.training.gold.beta, 0.25);
  EXPECT_EQ(config.training.trainer_kwargs.entries["max_length"], 9);
}

TEST(TrainingConfig, WrongOverridesSayThatTheyComeFromTheCommandLine) {
  EXPECT_EQ(error_of("", {{"training.gold.beta", "2"}}),
            "command line, --training.gold.beta: training.gold.beta must be a number in [0, 1], "
            "found 2");
  EXPECT_THAT(error_of("", {{"training.gold.betta", "0"}}), HasSubstr("training.gold.beta?"));
  EXPECT_THAT(error_of("", {{"data.train.datasets[3].split", "x"}}), HasSubstr("too far"));
  EXPECT_THAT(error_of("training: {seed: 1}", {{"training.seed.x", "1"}}),
              HasSubstr("below a plain value"));
  EXPECT_THAT(error_of("", {{"training..seed", "1"}}), HasSubstr("not a key"));
  EXPECT_THAT(error_of("", {{"training.seed", "[1"}}), HasSubstr("not YAML"));
}

TEST(TrainingConfig, MissingDefaultsOfTheRunGiveWayToTheFile) {
  const Overrides overrides = {{"data.train.datasets[0].dataset_path", "r.jsonl"},
                               {"data.train.datasets[0].dataset_name", "text_sft_jsonl", true}};
  EXPECT_EQ(parse("", overrides).data.train.datasets.at(0).dataset_name, "text_sft_jsonl");
  const std::string file = "data: {train: {datasets: [{dataset_name: mine}]}}";
  EXPECT_EQ(parse(file, overrides).data.train.datasets.at(0).dataset_name, "mine");
}

TEST(TrainingConfig, MappingsAreLaidOverTheirDefault) {
  const auto entries = [](const char* text) {
    return parse(fmt::format("training: {{gold: {{teacher_model_init_kwargs: {}}}}}", text))
        .training.gold.teacher_model_init_kwargs.entries;
  };
  EXPECT_EQ(entries("{device_map: x}"), Json({{"torch_dtype", "auto"}, {"device_map", "x"}}));
  EXPECT_EQ(entries("{dtype: float32}"), Json({{"dtype", "float32"}}));
}

TEST(TrainingConfig, CompatTrlStandsForItsSettingsUnlessTheyAreSet) {
  const GoldParams gold = parse("training: {gold: {compat: trl}}").training.gold;
  EXPECT_EQ(gold.uld_token_merge_strategy, "observed");
  EXPECT_EQ(gold.teacher_prompt, "student_text");
  EXPECT_EQ(parse("training: {gold: {compat: trl, uld_token_merge_strategy: bayesian}}")
                .training.gold.uld_token_merge_strategy,
            "bayesian");
}

TEST(TrainingConfig, WantsAStudent) {
  const TrainingConfig config = parse_training_config("training: {seed: 1}", "run.yaml");
  EXPECT_THROW(check_complete(config), ConfigError);
}

TEST(TrainingConfig, DemosAndExamplesAreValid) {
  for (const char* name : {"demo.yaml", "demo-gemma.yaml"}) {
    const std::string path = std::string(AURUM_SOURCE_DIR) + "/configs/" + name;
    const TrainingConfig config = load_training_config(path);
    EXPECT_THAT(warnings(config), ElementsAre()) << name;
    check_trainable(config);
  }
}

}  // namespace
}  // namespace aurum::config

#include "config/trainer_kwargs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/config_text.h"

namespace aurum::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string gold_with(const std::string& kwargs, const std::string& rest = "") {
  return "training:\n  trainer_type: TRL_GOLD\n" + rest + "  trainer_kwargs:\n    " + kwargs;
}

TEST(TrainerKwargs, HandsArgumentsToTheirKeys) {
  const TrainingConfig config = parse(
      gold_with("{num_generations: 4, uld_token_merge_strategy: observed, max_length: 512, "
                "log_completions: true, logging_nan_inf_filter: false, generation_batch_size: 8}"));
  EXPECT_EQ(config.training.gold.num_generations, 4);
  EXPECT_EQ(config.training.gold.uld_token_merge_strategy, "observed");
  EXPECT_EQ(config.model.model_max_length, 512);
}

TEST(TrainerKwargs, LengthOfTheModelBeatsThatOfTheTrainer) {
  const TrainingConfig config = parse_training_config(
      "model: {model_name: m, model_max_length: 256}\n" + gold_with("max_length: 512"), "run.yaml");
  EXPECT_EQ(config.model.model_max_length, 256);
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("model.model_max_length (256) beats")));
}

TEST(TrainerKwargs, RefusesCollisionsUnknownNamesAndBadValues) {
  EXPECT_EQ(error_of(gold_with("learning_rate: 1")),
            "run.yaml:5: training.trainer_kwargs.learning_rate collides with what Oumi sets "
            "itself: use training.learning_rate");
  EXPECT_THAT(error_of(gold_with("beta: 0.5")), HasSubstr("use training.gold.beta"));
  EXPECT_THAT(error_of(gold_with("num_generation: 2")),
              HasSubstr("run.yaml:5: training.trainer_kwargs.num_generation is no argument of "
                        "TRL's GOLDConfig; did you mean num_generations?"));
  EXPECT_THAT(error_of(gold_with("num_generations: 0")),
              HasSubstr("run.yaml:5: training.trainer_kwargs.num_generations must be a whole "
                        "number >= 1, found 0"));
  EXPECT_THAT(error_of(gold_with("num_generations: 2", "  gold: {num_generations: 3}\n")),
              HasSubstr("training.gold.num_generations is 3: delete one of them"));
}

TEST(TrainerKwargs, LeavesOtherTrainersAlone) {
  EXPECT_EQ(error_of("training: {trainer_type: HF, trainer_kwargs: {anything: 1}}"), "no error");
}

}  // namespace
}  // namespace aurum::config

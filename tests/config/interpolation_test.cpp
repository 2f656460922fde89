#include "config/interpolation.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/config_text.h"

namespace aurum::config {
namespace {

using ::testing::HasSubstr;

TEST(Interpolation, PutsOtherKeysIn) {
  const TrainingConfig config = parse(
      "training:\n"
      "  output_dir: \"out/${model.model_name}-${training.seed}\"\n"
      "  data_seed: ${training.seed}\n"
      "  run_name: ${.output_dir}\n"
      "data: {train: {datasets: [{dataset_name: a, split: "
      "\"${data.train.datasets[0].dataset_name}\"}]}}\n");
  EXPECT_EQ(config.training.output_dir, "out/m-42");
  EXPECT_EQ(config.training.data_seed, 42);
  EXPECT_EQ(config.training.run_name, "out/m-42");
  EXPECT_EQ(config.data.train.datasets[0].split, "a");
}

TEST(Interpolation, ReadsTheEnvironment) {
  ::setenv("AURUM_TEST_RATE", "3e-4", 1);
  const TrainingConfig config = parse(
      "training:\n"
      "  learning_rate: ${oc.env:AURUM_TEST_RATE}\n"
      "  output_dir: ${oc.env:AURUM_NO_SUCH_NAME,fallback}/x\n"
      "  run_name: ${oc.env:AURUM_NO_SUCH_NAME,null}\n"
      "  save_steps: ${oc.env:AURUM_NO_SUCH_NAME,${training.seed}}\n");
  EXPECT_EQ(config.training.learning_rate, 3e-4);
  EXPECT_EQ(config.training.output_dir, "fallback/x");
  EXPECT_EQ(config.training.run_name, std::nullopt);
  EXPECT_EQ(config.training.save_steps, 42);
}

TEST(Interpolation, DecodesSelectsAndEscapes) {
  const TrainingConfig config = parse(
      "training:\n"
      "  use_peft: ${oc.decode:yes}\n"
      "  save_steps: ${oc.select:training.no_such,7}\n"
      "  output_dir: 'a\\${b}'\n");
  EXPECT_TRUE(config.training.use_peft);
  EXPECT_EQ(config.training.save_steps, 7);
  EXPECT_EQ(config.training.output_dir, "a${b}");
}

TEST(Interpolation, SaysWhereItCannotResolve) {
  EXPECT_THAT(error_of("training:\n  run_name: ${training.run_name}"),
              HasSubstr("run.yaml:3: ${training.run_name}: the interpolation refers to itself"));
  EXPECT_THAT(error_of("training:\n  run_name: ${oc.env:AURUM_NO_SUCH_NAME}"),
              HasSubstr("run.yaml:3: ${oc.env:AURUM_NO_SUCH_NAME}: the environment variable"));
  EXPECT_THAT(error_of("training:\n  run_name: ${no.such.key}"), HasSubstr("no key no.such.key"));
  EXPECT_THAT(error_of("training:\n  run_name: ${oops"), HasSubstr("closing brace"));
  EXPECT_THAT(error_of("training:\n  run_name: ${oc.magic:x}"),
              HasSubstr("oc.magic is no resolver"));
}

}  // namespace
}  // namespace aurum::config

#include "train/optimizer.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"
#include "train/lr_schedule.h"

namespace aurum::train {
namespace {

TEST(AdamW, FollowsTheFormulaOfDecoupledDecay) {
  at::Tensor weight = at::full({1}, 2.0, at::kFloat);
  weight.requires_grad_(true);
  AdamW optimizer({{"w", &weight, true}}, {.weight_decay = 0.1});
  // With a constant gradient both bias-corrected moments are exact: every step is rate * sign.
  double expected = 2.0;
  for (int step = 0; step < 3; ++step) {
    weight.mutable_grad() = at::full({1}, 0.5, at::kFloat);
    optimizer.accumulate_gradients();
    EXPECT_NEAR(optimizer.gradient_norm(), 0.5, 1e-7);
    optimizer.step(0.01, 1.0);
    expected = expected * (1.0 - 0.01 * 0.1) - 0.01;
    EXPECT_NEAR(weight.item<float>(), expected, 1e-5);
  }
}

TEST(AdamW, KeepsWhatBfloat16WouldRoundAway) {
  at::Tensor weight = at::full({1}, 1.0, at::kBFloat16);
  AdamW optimizer({{"w", &weight, false}}, {});
  for (int step = 0; step < 8; ++step) {
    optimizer.accumulate_gradient(weight, at::ones({1}));
    optimizer.step(0.001, 1.0);  // bfloat16 has steps of 0.004 below 1
  }
  EXPECT_NEAR(optimizer.master("w").item<float>(), 0.992, 1e-5);
  EXPECT_LT(weight.item<float>(), 1.0F);
}

TEST(AdamW, ContinuesBitForBitFromAFile) {
  const testing_support::TemporaryFolder folder;
  const std::string file = (folder.path() / "optimizer.safetensors").string();
  at::Tensor a = at::arange(5, at::kFloat), b = at::zeros({5}, at::kFloat);
  AdamW first({{"w", &a, true}}, {.weight_decay = 0.01});
  AdamW second({{"w", &b, true}}, {.weight_decay = 0.01});
  const auto advance = [](AdamW& optimizer, at::Tensor& weight, double g) {
    optimizer.accumulate_gradient(weight, at::full({5}, g));
    optimizer.step(0.003, 0.7);
  };
  advance(first, a, 0.3);
  first.save(file);
  second.load(file);
  advance(first, a, -0.2);
  advance(second, b, -0.2);
  EXPECT_TRUE(a.equal(b));
}

TEST(LrSchedule, RisesAndFalls) {
  const LrSchedule linear{.type = "linear", .peak = 1.0, .warmup_steps = 2, .max_steps = 10};
  EXPECT_DOUBLE_EQ(linear.at(0), 0.0);
  EXPECT_DOUBLE_EQ(linear.at(1), 0.5);
  EXPECT_DOUBLE_EQ(linear.at(2), 1.0);
  EXPECT_DOUBLE_EQ(linear.at(6), 0.5);
  const LrSchedule cosine{.type = "cosine", .peak = 1.0, .warmup_steps = 0, .max_steps = 4};
  EXPECT_NEAR(cosine.at(2), 0.5, 1e-12);
  EXPECT_NEAR(cosine.at(4), 0.0, 1e-12);
  EXPECT_ANY_THROW(check_schedule_type("liner"));
}

}  // namespace
}  // namespace aurum::train

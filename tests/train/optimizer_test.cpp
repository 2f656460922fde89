#include "train/optimizer.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "tests/support/temporary_folder.h"

namespace aurum::train {
namespace {

TEST(Optimizer, FollowsTheFormulaOfDecoupledDecay) {
  at::Tensor weight = at::full({1}, 2.0, at::kFloat);
  weight.requires_grad_(true);
  Optimizer optimizer({{"w", &weight, true}}, {.weight_decay = 0.1});
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

TEST(Optimizer, KeepsWhatBfloat16WouldRoundAway) {
  at::Tensor weight = at::full({1}, 1.0, at::kBFloat16);
  Optimizer optimizer({{"w", &weight, false}}, {});
  for (int step = 0; step < 8; ++step) {
    optimizer.gradient_sum(weight).add_(at::ones({1}));
    optimizer.step(0.001, 1.0);  // bfloat16 has steps of 0.004 below 1
  }
  EXPECT_NEAR(optimizer.find_master("w")->item<float>(), 0.992, 1e-5);
  EXPECT_LT(weight.item<float>(), 1.0F);
}

// A gradient of more than one piece, of other strides than the sum's.
TEST(Optimizer, AddsBfloat16GradientsInFloat32) {
  at::Tensor weight = at::zeros({1500, 1000}, at::kBFloat16);
  weight.requires_grad_(true);
  Optimizer optimizer({{"w", &weight, true}}, {});
  const at::Tensor sum = optimizer.gradient_sum(weight);
  const at::Tensor before = at::randn(sum.sizes());
  sum.copy_(before);
  const at::Tensor gradient = at::randn({1000, 1500}).to(at::kBFloat16).t();
  weight.mutable_grad() = gradient;
  optimizer.accumulate_gradients();
  EXPECT_TRUE(sum.equal(before + gradient.to(at::kFloat)));
  EXPECT_FALSE(weight.grad().defined());
}

constexpr const char* kTypes[] = {"adamw_torch", "adamw_torch_fused", "sgd",       "adagrad",
                                  "rmsprop",     "adafactor",         "lion_32bit"};

TEST(Optimizer, ContinuesBitForBitFromAFile) {
  const testing_support::TemporaryFolder folder;
  const std::string file = (folder.path() / "optimizer.safetensors").string();
  for (const char* type : kTypes) {
    at::Tensor a = at::arange(6, at::kFloat).view({2, 3}), b = at::zeros({2, 3}, at::kFloat);
    const OptimizerConfig config{.type = type, .momentum = 0.9, .weight_decay = 0.01};
    Optimizer first({{"w", &a, true}}, config), second({{"w", &b, true}}, config);
    const auto advance = [](Optimizer& optimizer, at::Tensor& weight, double g) {
      optimizer.gradient_sum(weight).add_(at::linspace(g, 1.0, 6, at::kFloat).view({2, 3}));
      optimizer.step(0.003, 0.7);
    };
    advance(first, a, 0.3);
    first.save(file);
    second.load(file);
    advance(first, a, -0.2);
    advance(second, b, -0.2);
    EXPECT_TRUE(a.equal(b)) << type;
  }
}

TEST(Optimizer, RefusesTheFileOfAnotherOptimizer) {
  const testing_support::TemporaryFolder folder;
  const std::string file = (folder.path() / "optimizer.safetensors").string();
  at::Tensor weight = at::zeros({2}, at::kFloat);
  Optimizer({{"w", &weight, true}}, {.type = "sgd"}).save(file);
  Optimizer adam({{"w", &weight, true}}, {});
  EXPECT_THROW(adam.load(file), FormatError);
}

// What tools/make_optimizer_goldens.py computes.
at::Tensor golden_gradient(std::vector<std::int64_t> shape, int step) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  const at::Tensor angles = at::arange(count, at::kDouble) * 0.7 + step * 1.3;
  return (angles.sin() * (1 + step % 3)).to(at::kFloat).view(shape);
}

void expect_values(const at::Tensor& tensor, const nlohmann::json& expected,
                   const std::string& what) {
  const at::Tensor flat = tensor.flatten();
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    // A few roundings of float32 apart: the order of operations differs.
    EXPECT_NEAR(flat[i].item<double>(), expected[static_cast<std::size_t>(i)].get<double>(), 5e-7)
        << what << " at " << i;
  }
}

TEST(Optimizer, EqualsTorchAndTransformers) {
  const auto golden = nlohmann::json::parse(
      read_file(std::string(AURUM_SOURCE_DIR) + "/tests/golden/train/optimizers.json"));
  ASSERT_EQ(golden["rules"].size(), 7u);
  for (const auto& rule : golden["rules"]) {
    const auto& options = rule["config"];
    const std::string name = rule["type"];
    const OptimizerConfig config{.type = name == "sgd_with_momentum" ? "sgd" : name,
                                 .beta1 = options.value("beta1", 0.9),
                                 .beta2 = options.value("beta2", 0.999),
                                 .epsilon = options.value("epsilon", 1e-8),
                                 .momentum = options.value("momentum", 0.0),
                                 .weight_decay = 0.1};
    at::Tensor matrix = at::linspace(-1, 1, 12, at::kFloat).view({3, 4});
    at::Tensor vector = at::linspace(0.5, 1.5, 5, at::kFloat);
    Optimizer optimizer({{"matrix", &matrix, true}, {"vector", &vector, false}}, config);
    for (int step = 0; step < 5; ++step) {
      optimizer.gradient_sum(matrix).add_(golden_gradient({3, 4}, step));
      optimizer.gradient_sum(vector).add_(golden_gradient({5}, step));
      optimizer.step(golden["learning_rate"], 0.5);
    }
    expect_values(matrix, rule["matrix"], name);
    expect_values(vector, rule["vector"], name);
  }
}

}  // namespace
}  // namespace aurum::train

// Logits and every gradient of tiny models of each family against transformers.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/causal_lm.h"
#include "model/layers/linear.h"
#include "tests/support/golden_model.h"

namespace aurum::model {
namespace {

using testing_support::GoldenModel;

PackedBatch golden_batch() {
  PackedBatch batch;
  for (const auto& row : GoldenModel::rows()) batch.add_row(row);
  return batch;
}

// The largest difference relative to the largest expected value.
double distance(const at::Tensor& ours, const at::Tensor& expected) {
  return ((ours - expected).abs().max() / expected.abs().max().clamp_min(1e-30)).item<double>();
}

at::Tensor expected_logits(const GoldenModel& golden) {
  return at::cat({expand(golden.expected("logits.0"), at::kFloat),
                  expand(golden.expected("logits.1"), at::kFloat)});
}

class GoldenLogits : public ::testing::TestWithParam<std::string> {};
class GoldenGradients : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenLogits, EqualThoseOfTransformers) {
  const GoldenModel golden(GetParam());
  const auto model = load_causal_lm(golden, {.dtype = ComputeDType::kFloat32});
  const at::Tensor logits = model->logits(model->hidden_states(golden_batch()));
  EXPECT_LT(distance(logits, expected_logits(golden)), 1e-5);
}

// Sparse models in files: stacked experts in GGUF, MXFP4 in both formats.
TEST(SparseFiles, HaveTheLogitsOfTransformers) {
  const std::string folder = std::string(AURUM_SOURCE_DIR) + "/tests/golden/model/";
  for (const auto& [file, golden] : {std::pair{"qwen3_moe_gguf.gguf", "qwen3_moe_gguf"},
                                     std::pair{"gpt_oss_gguf.gguf", "gpt_oss_gguf"},
                                     std::pair{"gpt_oss_mxfp4", "gpt_oss_gguf"}}) {
    const auto expected = weights::SafetensorsFile::open(folder + golden + ".safetensors");
    const auto checkpoint = weights::open_checkpoint(folder + file);
    for (const bool keep : {false, true}) {
      const auto model =
          load_causal_lm(*checkpoint, {.dtype = ComputeDType::kFloat32, .keep_quantized = keep});
      PackedBatch batch;
      for (const auto& row : {std::vector<std::int32_t>{1, 5, 2, 9, 4, 7, 3, 11, 30, 6}, {3, 3}}) {
        batch.add_row(row);
      }
      const at::Tensor logits = model->logits(model->hidden_states(batch));
      const at::Tensor wanted = at::cat({expand(*expected->find("logits.0"), at::kFloat),
                                         expand(*expected->find("logits.1"), at::kFloat)});
      EXPECT_LT(distance(logits, wanted), 1e-5) << file << ' ' << keep;
    }
  }
}

TEST_P(GoldenLogits, StayNearInBFloat16) {
  const GoldenModel golden(GetParam());
  const auto model = load_causal_lm(golden, {.dtype = ComputeDType::kBFloat16});
  const at::Tensor logits = model->logits(model->hidden_states(golden_batch()));
  EXPECT_LT(distance(logits.to(at::kFloat), expected_logits(golden)), 0.05);
}

TEST_P(GoldenGradients, EqualThoseOfAutograd) {
  const GoldenModel golden(GetParam());
  for (const bool checkpointing : {false, true}) {
    const auto model = load_causal_lm(golden, {.dtype = ComputeDType::kFloat32, .trainable = true});
    model->set_gradient_checkpointing(checkpointing);
    (model->logits(model->hidden_states(golden_batch())).pow(2).sum() * 0.5).backward();
    for (const NamedParameter& parameter : model->parameters()) {
      const at::Tensor expected = expand(golden.expected("gradient." + parameter.name), at::kFloat);
      ASSERT_TRUE(parameter.tensor->grad().defined()) << parameter.name;
      EXPECT_LT(distance(parameter.tensor->grad(), expected), 2e-5) << parameter.name;
    }
  }
}

const auto kByName = [](const auto& parameter) { return parameter.param; };
INSTANTIATE_TEST_SUITE_P(Families, GoldenLogits,
                         ::testing::ValuesIn(testing_support::golden_models()), kByName);
INSTANTIATE_TEST_SUITE_P(Families, GoldenGradients,
                         ::testing::ValuesIn(testing_support::golden_students()), kByName);

TEST(Transformer, RefusesToTrainSparseLayers) {
  const GoldenModel golden("gpt_oss");
  EXPECT_ANY_THROW(load_causal_lm(golden, {.trainable = true}));
}

}  // namespace
}  // namespace aurum::model

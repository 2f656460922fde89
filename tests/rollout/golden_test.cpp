// Greedy completions of tiny models of each family against transformers and our own packed pass.

#include <cstring>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "rollout/decoder_model.h"
#include "rollout/local_rollout_source.h"
#include "tests/support/golden_model.h"

namespace aurum::rollout {
namespace {

using testing_support::GoldenModel;

LocalRolloutSource source_of(const std::shared_ptr<const GoldenModel>& golden) {
  return {[golden] { return make_decoder_model(golden, model::ComputeDType::kFloat32); },
          {},
          golden->config().vocab_size};
}

RolloutRequest greedy_request(std::vector<std::int32_t> prompt, std::int64_t max_new_tokens) {
  return {.prompt_ids = std::move(prompt),
          .sampling = {.temperature = 0.0, .max_new_tokens = max_new_tokens}};
}

class GoldenDecoder : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenDecoder, CompletesAsTransformers) {
  const auto golden = std::make_shared<const GoldenModel>(GetParam());
  const weights::TensorView& expected = golden->expected("greedy");
  std::vector<std::int32_t> ids(static_cast<std::size_t>(expected.num_values()));
  std::memcpy(ids.data(), expected.bytes.data(), expected.bytes.size());
  auto source = source_of(golden);
  const auto request =
      greedy_request(GoldenModel::rows()[0], static_cast<std::int64_t>(ids.size()));
  EXPECT_EQ(source.generate({&request, 1})[0].completion_ids, ids);
}

TEST_P(GoldenDecoder, HasTheLogitsOfThePackedPass) {
  const c10::NoGradGuard no_grad;
  const auto golden = std::make_shared<const GoldenModel>(GetParam());
  const auto packed = model::load_causal_lm(*golden, {.dtype = model::ComputeDType::kFloat32});
  auto source = source_of(golden);
  for (const auto& row : GoldenModel::rows()) {
    model::PackedBatch batch;
    batch.add_row(row);
    const at::Tensor expected = packed->logits(packed->hidden_states(batch))[-1];
    const std::vector<float> logits = source.next_token_logits(row);
    EXPECT_TRUE(at::tensor(logits).allclose(expected, 1e-4, 1e-4));
  }
}

TEST(SparseFiles, DecodeToTheLogitsOfTransformers) {
  const std::string folder = std::string(AURUM_SOURCE_DIR) + "/tests/golden/model/";
  for (const auto& [file, golden] : {std::pair{"qwen3_moe_gguf.gguf", "qwen3_moe_gguf"},
                                     std::pair{"gpt_oss_gguf.gguf", "gpt_oss_gguf"},
                                     std::pair{"gpt_oss_mxfp4", "gpt_oss_gguf"}}) {
    const auto checkpoint = weights::open_checkpoint(folder + file);
    LocalRolloutSource source(
        [&] { return make_decoder_model(checkpoint, model::ComputeDType::kFloat32); }, {},
        checkpoint->config().vocab_size);
    const auto expected = weights::SafetensorsFile::open(folder + golden + ".safetensors");
    const weights::TensorView* all = expected->find("logits.0");
    const std::vector<std::int32_t> row = {1, 5, 2, 9, 4, 7, 3, 11, 30, 6};
    const std::vector<float> logits = source.next_token_logits(row);
    std::vector<float> last(logits.size());
    std::memcpy(last.data(), all->bytes.last(4 * last.size()).data(), 4 * last.size());
    EXPECT_TRUE(at::tensor(logits).allclose(at::tensor(last), 1e-4, 1e-4)) << file;
  }
}

TEST_P(GoldenDecoder, GivesARowTheSameCompletionInAnyBatch) {
  const auto golden = std::make_shared<const GoldenModel>(GetParam());
  auto source = source_of(golden);
  std::vector<RolloutRequest> requests;
  for (std::int32_t i = 0; i < 7; ++i) requests.push_back(greedy_request({1, i, 3}, 5 + i));
  const auto together = source.generate(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(source.generate({&requests[i], 1})[0].completion_ids, together[i].completion_ids);
  }
}

class AdaptedDecoder : public ::testing::TestWithParam<std::string> {};

TEST_P(AdaptedDecoder, HasTheLogitsOfThePackedPassAfterEveryUpdate) {
  const c10::NoGradGuard no_grad;
  model::AdapterOptions adapter{.seed = 2};
  adapter.config.target_pattern = "all-linear";
  adapter.config.alpha = 4.0;
  const auto packed = model::load_causal_lm(
      GoldenModel(GetParam()),
      {.dtype = model::ComputeDType::kFloat32, .trainable = true, .adapter = adapter});
  LocalRolloutSource source(*packed, {}, packed->config().vocab_size);
  at::manual_seed(1);
  for (const double size : {0.0, 0.1, 0.3}) {
    for (const model::NamedParameter& parameter : packed->parameters()) {
      if (parameter.name.ends_with("lora_B.weight")) parameter.tensor->normal_(0.0, size);
    }
    source.sync_weights();
    model::PackedBatch batch;
    batch.add_row(GoldenModel::rows()[0]);
    const at::Tensor expected = packed->logits(packed->hidden_states(batch))[-1];
    const std::vector<float> logits = source.next_token_logits(GoldenModel::rows()[0]);
    EXPECT_TRUE(at::tensor(logits).allclose(expected, 1e-4, 1e-4)) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, AdaptedDecoder,
                         ::testing::ValuesIn(testing_support::golden_students()),
                         [](const auto& parameter) { return parameter.param; });

INSTANTIATE_TEST_SUITE_P(Families, GoldenDecoder,
                         ::testing::ValuesIn(testing_support::golden_models()),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace aurum::rollout

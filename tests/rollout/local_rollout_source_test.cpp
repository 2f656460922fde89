#include "rollout/local_rollout_source.h"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random_stream.h"
#include "kernels/bfloat16.h"
#include "rollout/decoder_model.h"

namespace aurum::rollout {
namespace {

constexpr std::int64_t kVocab = 50;

// A small random model: two layers, one of them with a sliding window.
class ToyModel {
 public:
  explicit ToyModel(bool is_bfloat16, std::uint64_t seed = 5) : seed_(seed) {
    is_bfloat16_ = is_bfloat16;
    config_.model_type = "qwen3";
    config_.vocab_size = kVocab;
    config_.hidden_size = 24;
    config_.intermediate_size = 40;
    config_.num_layers = 2;
    config_.num_heads = 4;
    config_.num_kv_heads = 2;
    config_.head_dim = 8;
    config_.max_position_embeddings = 64;
    config_.tie_word_embeddings = true;
    config_.qk_norm = true;
    config_.attention_scale = 0.35;
    config_.sliding_window = {0, 6};
    config_.uses_rope = {true, true};
  }

  weights::ModelConfig& config() { return config_; }

  DecoderModel make() {
    return make_decoder_model(config_, [this](const std::string& name) { return find(name); });
  }

 private:
  std::optional<MemoryTensor> find(const std::string& name) {
    if (name.ends_with(".bias")) return std::nullopt;
    const auto shape = shape_of(name);
    RandomStream random(seed_, name);
    auto& floats = floats_[name];
    auto& halves = halves_[name];
    floats.clear();
    halves.clear();
    for (std::int64_t i = 0; i < shape.first * shape.second; ++i) {
      floats.push_back(static_cast<float>(random.normal() * 0.4));
      halves.push_back(kernels::to_bfloat16(floats.back()));
    }
    return MemoryTensor{
        .data = is_bfloat16_ ? static_cast<const void*>(halves.data()) : floats.data(),
        .is_bfloat16 = is_bfloat16_,
        .rows = shape.first,
        .cols = shape.second};
  }

  std::pair<std::int64_t, std::int64_t> shape_of(const std::string& name) const {
    const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
    const std::int64_t hidden = config_.hidden_size;
    if (has("embed_tokens")) return {kVocab, hidden};
    if (has("q_norm") || has("k_norm")) return {1, config_.head_dim};
    if (has("norm")) return {1, hidden};
    if (has("q_proj")) return {32, hidden};
    if (has("k_proj") || has("v_proj")) return {16, hidden};
    if (has("o_proj")) return {hidden, 32};
    if (has("down_proj")) return {hidden, config_.intermediate_size};
    return {config_.intermediate_size, hidden};
  }

  std::uint64_t seed_;
  bool is_bfloat16_ = false;
  weights::ModelConfig config_;
  std::map<std::string, std::vector<float>> floats_;
  std::map<std::string, std::vector<kernels::BFloat16>> halves_;
};

RolloutRequest request_of(std::vector<std::int32_t> prompt, std::uint64_t stream,
                          std::int64_t max_new_tokens = 12) {
  RolloutRequest request;
  request.prompt_ids = std::move(prompt);
  request.sampling.max_new_tokens = max_new_tokens;
  request.seed = 11;
  request.stream_index = stream;
  return request;
}

std::vector<RolloutRequest> ragged_requests() {
  std::vector<RolloutRequest> requests;
  for (std::uint64_t i = 0; i < 45; ++i) {
    std::vector<std::int32_t> prompt;
    for (std::uint64_t t = 0; t < 1 + i % 9 * 4; ++t) {
      prompt.push_back(static_cast<std::int32_t>((i % 9 * 7 + t * 3) % kVocab));
    }
    requests.push_back(request_of(prompt, i, 3 + static_cast<std::int64_t>(i) % 11));
  }
  return requests;
}

class LocalRolloutSourceTest : public testing::TestWithParam<bool> {};

TEST_P(LocalRolloutSourceTest, ACompletionDoesNotDependOnItsNeighbours) {
  ToyModel toy(GetParam());
  LocalRolloutSource source([&] { return toy.make(); }, {4}, kVocab);
  const auto requests = ragged_requests();
  const auto together = source.generate(requests);
  ASSERT_EQ(together.size(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto alone = source.generate({&requests[i], 1});
    EXPECT_EQ(alone[0].completion_ids, together[i].completion_ids) << "request " << i;
    EXPECT_EQ(alone[0].finish_reason, together[i].finish_reason);
  }
}

TEST_P(LocalRolloutSourceTest, CachedStepsMatchRunningTheWholeRow) {
  ToyModel toy(GetParam());
  LocalRolloutSource source([&] { return toy.make(); }, {}, kVocab);
  RolloutRequest request = request_of({1, 2, 3, 30, 20}, 0, 20);
  request.sampling.temperature = 0;
  std::vector<std::int32_t> ids = request.prompt_ids;
  const auto rollouts = source.generate({&request, 1});
  for (const std::int32_t id : rollouts[0].completion_ids) {
    const auto logits = source.next_token_logits(ids);
    EXPECT_EQ(id, std::max_element(logits.begin(), logits.end()) - logits.begin());
    ids.push_back(id);
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, LocalRolloutSourceTest, testing::Values(false, true),
                         [](const auto& parameter) {
                           return parameter.param ? "bfloat16" : "float32";
                         });

TEST(LocalRolloutSource, EndsAtTheFirstEndOfTurn) {
  ToyModel toy(false);
  LocalRolloutSource source([&] { return toy.make(); }, {4, 9, 17, 23, 42}, kVocab);
  std::vector<RolloutRequest> requests;
  for (std::uint64_t i = 0; i < 20; ++i) requests.push_back(request_of({1, 2}, i, 40));
  int num_ended = 0;
  for (const Rollout& rollout : source.generate(requests)) {
    const auto is_end = [](std::int32_t id) {
      return id == 4 || id == 9 || id == 17 || id == 23 || id == 42;
    };
    const auto& ids = rollout.completion_ids;
    const bool ended = rollout.finish_reason == FinishReason::kEndOfTurn;
    num_ended += ended;
    EXPECT_EQ(std::count_if(ids.begin(), ids.end(), is_end), ended ? 1 : 0);
    if (ended) {
      EXPECT_TRUE(is_end(ids.back()));
    } else {
      EXPECT_EQ(ids.size(), 40u);
    }
  }
  EXPECT_GT(num_ended, 0);
}

TEST(LocalRolloutSource, NeverSamplesPaddingRows) {
  ToyModel toy(false);
  LocalRolloutSource source([&] { return toy.make(); }, {}, 10);
  const RolloutRequest request = request_of({1, 2}, 0, 60);
  EXPECT_THAT(source.generate({&request, 1})[0].completion_ids, testing::Each(testing::Lt(10)));
}

TEST(LocalRolloutSource, CallsBackInOrderAndStopsWhenTold) {
  ToyModel toy(false);
  LocalRolloutSource source([&] { return toy.make(); }, {}, kVocab);
  const std::vector<RolloutRequest> requests = {request_of({1}, 0), request_of({2}, 1)};
  std::vector<std::vector<std::int32_t>> seen(2);
  const auto all = source.generate(requests, [&](std::size_t index, std::int32_t id) {
    seen[index].push_back(id);
    return true;
  });
  EXPECT_EQ(seen[0], all[0].completion_ids);
  EXPECT_EQ(seen[1], all[1].completion_ids);
  int calls = 0;
  source.generate(requests, [&](std::size_t, std::int32_t) { return ++calls < 5; });
  EXPECT_EQ(calls, 5);
}

TEST(LocalRolloutSource, TakesOverNewWeights) {
  ToyModel first(false, 5), second(false, 6);
  ToyModel* current = &first;
  LocalRolloutSource source([&] { return current->make(); }, {}, kVocab);
  const RolloutRequest request = request_of({1, 2, 3}, 0);
  const auto before = source.generate({&request, 1});
  current = &second;
  source.sync_weights();
  EXPECT_NE(source.generate({&request, 1})[0].completion_ids, before[0].completion_ids);
}

TEST(LocalRolloutSource, RunsTheRowAgainWhenItsRotaryFactorsChange) {
  ToyModel toy(false);
  toy.config().rope.kind = weights::RopeKind::kLongRope;
  toy.config().rope.original_max_position_embeddings = 8;
  toy.config().rope.short_factor = {1, 1, 1, 1};
  toy.config().rope.long_factor = {1, 2, 4, 8};
  LocalRolloutSource source([&] { return toy.make(); }, {}, kVocab);
  RolloutRequest request = request_of({1, 2, 3, 30, 20}, 0, 10);
  request.sampling.temperature = 0;
  std::vector<std::int32_t> ids = request.prompt_ids;
  const auto rollouts = source.generate({&request, 1});
  for (const std::int32_t id : rollouts[0].completion_ids) {
    const auto logits = source.next_token_logits(ids);
    EXPECT_EQ(id, std::max_element(logits.begin(), logits.end()) - logits.begin());
    ids.push_back(id);
  }
}

TEST(LocalRolloutSource, RefusesPromptsItCannotRun) {
  ToyModel toy(false);
  LocalRolloutSource source([&] { return toy.make(); }, {}, kVocab);
  const RolloutRequest empty = request_of({}, 0), foreign = request_of({1, kVocab}, 0);
  EXPECT_THROW(source.generate({&empty, 1}), InputError);
  EXPECT_THROW(source.generate({&foreign, 1}), InputError);
}

}  // namespace
}  // namespace aurum::rollout

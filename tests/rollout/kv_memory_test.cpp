// Paged caches, budgets and the colocated engine against the plain source: the same tokens.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/causal_lm.h"
#include "rollout/colocated_rollout_source.h"
#include "rollout/local_rollout_source.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"
#include "text/tokenizer/tokenizer.h"
#include "weights/checkpoint.h"

namespace aurum::rollout {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMegabyte = 1 << 20;

class KvMemoryTest : public ::testing::TestWithParam<model::ComputeDType> {
 protected:
  KvMemoryTest() {
    testing_support::write_tiny_model(folder_.path() / "m", {.merges = {"h e", "t he"}});
    tokenizer_ = text::load_tokenizer(folder_.path() / "m");
    checkpoint_ = weights::open_checkpoint(folder_.path() / "m");
    student_ = model::load_causal_lm(*checkpoint_, {.dtype = GetParam(), .trainable = true});
  }

  const std::vector<std::int32_t>& ends() const { return tokenizer_->special_tokens().end_of_turn; }

  std::unique_ptr<LocalRolloutSource> make(KvMemory memory) const {
    return std::make_unique<LocalRolloutSource>(*student_, ends(), tokenizer_->vocab_size(),
                                                LocalRolloutOptions{.kv_memory = memory});
  }

  // Prompts of many lengths, some of them equal; most completions are long.
  std::vector<RolloutRequest> requests(std::size_t count, std::int64_t max_new_tokens) const {
    std::vector<RolloutRequest> requests;
    for (std::size_t i = 0; i < count; ++i) {
      RolloutRequest request;
      request.prompt_ids = tokenizer_->encode(std::string(3 + 7 * (i / 2), 'x'), false).ids;
      request.sampling.max_new_tokens = max_new_tokens;
      request.stream_index = i;
      requests.push_back(std::move(request));
    }
    return requests;
  }

  void change_weights() const {
    for (const model::NamedParameter& parameter : student_->parameters()) {
      at::Tensor values = parameter.tensor->detach();
      values.mul_(1.25);
    }
  }

  testing_support::TemporaryFolder folder_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::shared_ptr<const weights::Checkpoint> checkpoint_;
  std::unique_ptr<model::CausalLm> student_;
};

std::vector<std::vector<std::int32_t>> ids_of(const std::vector<Rollout>& rollouts) {
  std::vector<std::vector<std::int32_t>> ids;
  for (const Rollout& rollout : rollouts) ids.push_back(rollout.completion_ids);
  return ids;
}

TEST_P(KvMemoryTest, PagedCachesGiveTheSameTokensInLessMemory) {
  const auto plain = make({}), paged = make({.is_paged = true});
  const auto all = requests(12, 300);
  EXPECT_EQ(ids_of(paged->generate(all)), ids_of(plain->generate(all)));
  const auto some = requests(12, 4000);
  std::size_t longest = 0;
  const auto stop_early = [&](std::size_t, std::int32_t) { return ++longest < 400; };
  paged->generate(some, stop_early);
  longest = 0;
  plain->generate(some, stop_early);
  EXPECT_LT(10 * paged->peak_kv_bytes(), plain->peak_kv_bytes());
}

TEST_P(KvMemoryTest, SequencesThatMakeRoomGoOnWhereTheyWere) {
  const auto all = requests(16, 150);
  const auto expected = ids_of(make({})->generate(all));
  const auto roomy = make({.is_paged = true});
  roomy->generate(all);
  for (const std::int64_t share : {2, 4}) {
    for (const bool is_paged : {false, true}) {
      const KvMemory memory{.budget_bytes = roomy->peak_kv_bytes() / share, .is_paged = is_paged};
      const auto tight = make(memory);
      EXPECT_EQ(ids_of(tight->generate(all)), expected) << share << is_paged;
      EXPECT_LE(tight->peak_kv_bytes(), memory.budget_bytes);
    }
  }
}

TEST_P(KvMemoryTest, RefusesARolloutThatNeverFits) {
  const auto tiny = make({.budget_bytes = 20'000, .is_paged = true});
  try {
    tiny->generate(requests(1, 1000));
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("training.gold.max_completion_length"));
  }
}

TEST_P(KvMemoryTest, TheColocatedEngineHasWeightsOfItsOwn) {
  const auto plain = make({});
  const auto all = requests(6, 20);
  ColocatedRolloutSource engine(*student_, {.sync_frequency = 2, .budget_bytes = 100 * kMegabyte},
                                ends(), tokenizer_->vocab_size());
  const auto before = ids_of(plain->generate(all));
  EXPECT_EQ(ids_of(engine.generate(all)), before);
  change_weights();
  plain->sync_weights();
  engine.sync_weights();  // the first of two
  const auto after = ids_of(plain->generate(all));
  EXPECT_NE(after, before);
  EXPECT_EQ(ids_of(engine.generate(all)), before);
  engine.sync_weights();
  EXPECT_EQ(ids_of(engine.generate(all)), after);
}

TEST_P(KvMemoryTest, AResumedEngineCountsOn) {
  const auto all = requests(6, 20);
  ColocatedRolloutSource engine(*student_, {.sync_frequency = 3, .budget_bytes = 100 * kMegabyte},
                                ends(), tokenizer_->vocab_size());
  engine.resume(5);
  const auto before = ids_of(engine.generate(all));
  change_weights();
  engine.sync_weights();  // the sixth
  EXPECT_NE(ids_of(engine.generate(all)), before);
}

TEST_P(KvMemoryTest, ASleepingEngineHoldsNothingAndWakesToTheNewestWeights) {
  const auto all = requests(6, 20);
  ColocatedRolloutSource engine(*student_, {.budget_bytes = 100 * kMegabyte, .sleeps = true},
                                ends(), tokenizer_->vocab_size());
  EXPECT_TRUE(engine.is_asleep());
  EXPECT_EQ(ids_of(engine.generate(all)), ids_of(make({})->generate(all)));
  EXPECT_FALSE(engine.is_asleep());
  engine.sleep();
  EXPECT_TRUE(engine.is_asleep());
  change_weights();
  engine.sync_weights();
  EXPECT_EQ(ids_of(engine.generate(all)), ids_of(make({})->generate(all)));
}

TEST_P(KvMemoryTest, TheBudgetCoversTheWeightsToo) {
  try {
    ColocatedRolloutSource(*student_, {.budget_bytes = 1000}, ends(), tokenizer_->vocab_size());
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("vllm_gpu_memory_utilization"));
  }
}

INSTANTIATE_TEST_SUITE_P(BothTypes, KvMemoryTest,
                         ::testing::Values(model::ComputeDType::kFloat32,
                                           model::ComputeDType::kBFloat16));

}  // namespace
}  // namespace aurum::rollout

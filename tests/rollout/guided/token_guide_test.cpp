#include "rollout/guided/token_guide.h"

#include <gtest/gtest.h>

#include "rollout/decoder_model.h"
#include "rollout/local_rollout_source.h"
#include "tests/rollout/guided/pcre2_match.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"
#include "weights/checkpoint.h"

namespace aurum::rollout {
namespace {

class TokenGuideTest : public ::testing::Test {
 protected:
  TokenGuideTest() {
    testing_support::write_tiny_model(folder_.path() / "m",
                                      {.merges = {"h e", "t he", "1 2", "i n"}});
    tokenizer_ = text::load_tokenizer(folder_.path() / "m");
    tokens_ = std::make_shared<GuideTokens>(*tokenizer_);
    checkpoint_ = weights::open_checkpoint(folder_.path() / "m");
    source_ = std::make_unique<LocalRolloutSource>(
        [this] { return make_decoder_model(checkpoint_, model::ComputeDType::kFloat32); }, ends(),
        tokenizer_->vocab_size(), LocalRolloutOptions{.tokenizer = tokenizer_});
  }

  const std::vector<std::int32_t>& ends() const { return tokenizer_->special_tokens().end_of_turn; }

  std::vector<RolloutRequest> requests(const std::string& regex, double temperature) const {
    std::vector<RolloutRequest> requests;
    for (std::uint64_t stream = 0; stream < 40; ++stream) {
      requests.push_back({.prompt_ids = tokenizer_->encode("say the", false).ids,
                          .sampling = {.temperature = temperature,
                                       .top_p = 0.95,
                                       .max_new_tokens = 24,
                                       .regex = regex},
                          .stream_index = stream});
    }
    return requests;
  }

  std::string text_of(const Rollout& rollout) const {
    return tokenizer_->decode(rollout.completion_ids, true);
  }

  testing_support::TemporaryFolder folder_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::shared_ptr<const GuideTokens> tokens_;
  std::shared_ptr<const weights::Checkpoint> checkpoint_;
  std::unique_ptr<LocalRolloutSource> source_;
};

TEST_F(TokenGuideTest, AllowsWhatBruteForceAllows) {
  const std::string regex = "(the|12+|[^a-z]in){1,2}";
  TokenGuide guide(regex, tokens_, ends());
  ByteAutomaton automaton(regex);
  for (const std::string before : {"", "the", "1", "12", "12t"}) {
    TokenGuide::State state;
    ByteAutomaton::State expected_state = automaton.start();
    for (const char c : before) {
      state = guide.advance(state, *tokenizer_->id_of(std::string(1, c)));
      expected_state = automaton.next(expected_state, static_cast<std::uint8_t>(c));
    }
    TokenGuide::Ids expected;
    for (std::int32_t id = 0; id < tokenizer_->vocab_size(); ++id) {
      if (tokenizer_->is_special(id)) continue;
      ByteAutomaton::State at = expected_state;
      for (const char c : tokenizer_->token_bytes(id)) {
        if (at != ByteAutomaton::kDead) at = automaton.next(at, static_cast<std::uint8_t>(c));
      }
      if (at != ByteAutomaton::kDead) expected.push_back(id);
    }
    if (automaton.accepts(expected_state)) {
      expected.insert(expected.end(), ends().begin(), ends().end());
    }
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(*guide.allowed(state), expected) << before;
  }
}

TEST_F(TokenGuideTest, EveryFinishedRolloutMatches) {
  int num_finished = 0;
  for (const char* regex : {"yes|no", "(the )?[a-z]{2,5}", "\\{\"n\": -?[0-9]{1,3}\\}",
                            "[\xC3\xA4\xC3\xB6\xE2\x82\xAC]{1,4}", ".{0,6}", "(12|in)+the"}) {
    for (const double temperature : {0.0, 1.0}) {
      for (const Rollout& rollout : source_->generate(requests(regex, temperature))) {
        if (rollout.finish_reason != FinishReason::kEndOfTurn) continue;
        ++num_finished;
        EXPECT_TRUE(pcre2_matches(regex, text_of(rollout))) << regex << ": " << text_of(rollout);
      }
    }
  }
  EXPECT_GT(num_finished, 300);
}

TEST_F(TokenGuideTest, EndsAtOnceWhenNothingMoreCanFollow) {
  for (const Rollout& rollout : source_->generate(requests("the", 1.0))) {
    EXPECT_EQ(text_of(rollout), "the");
    EXPECT_EQ(rollout.finish_reason, FinishReason::kEndOfTurn);
  }
}

TEST_F(TokenGuideTest, DoesNotDependOnTheBatch) {
  auto together = requests("[a-z ]{1,12}", 1.0);
  const auto expected = source_->generate(together);
  for (const std::size_t i : {0u, 17u, 39u}) {
    EXPECT_EQ(source_->generate({&together[i], 1}).front().completion_ids,
              expected[i].completion_ids);
  }
}

}  // namespace
}  // namespace aurum::rollout

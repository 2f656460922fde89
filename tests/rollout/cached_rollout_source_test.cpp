#include "rollout/cached_rollout_source.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "tests/support/temporary_folder.h"

namespace aurum::rollout {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Answers a prompt with its first id and how many prompts it has answered; remembers the prompts.
class CountingSource : public RolloutSource {
 public:
  explicit CountingSource(std::vector<std::int32_t>& asked) : asked_(asked) {}

  std::vector<Rollout> generate(std::span<const RolloutRequest> requests,
                                const TokenCallback& on_token) override {
    std::vector<Rollout> rollouts(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      asked_.push_back(requests[i].prompt_ids.front());
      for (const std::int32_t id :
           {requests[i].prompt_ids.front(), static_cast<std::int32_t>(asked_.size())}) {
        rollouts[i].completion_ids.push_back(id);
        if (on_token && !on_token(i, id)) return rollouts;
      }
    }
    return rollouts;
  }
  void sync_weights() override {}

 private:
  std::vector<std::int32_t>& asked_;
};

class CachedRolloutSourceTest : public ::testing::Test {
 protected:
  CachedRolloutSource open(const std::string& model = "m") {
    return {[this] { return std::make_unique<CountingSource>(asked_); }, model, file()};
  }
  std::string file() const { return (folder_.path() / "completions.jsonl").string(); }
  std::vector<std::int32_t> asked() { return std::exchange(asked_, {}); }

  testing_support::TemporaryFolder folder_;
  std::vector<std::int32_t> asked_;
};

RolloutRequest request_of(std::int32_t id) { return {.prompt_ids = {id}}; }

TEST_F(CachedRolloutSourceTest, AsksTheModelOnceForARequest) {
  const RolloutRequest requests[] = {request_of(5), request_of(6), request_of(5)};
  const auto first = open().generate(requests);
  EXPECT_THAT(asked(), ElementsAre(5, 6, 5));
  EXPECT_THAT(first[1].completion_ids, ElementsAre(6, 2));
  const auto again = open().generate(requests);
  EXPECT_THAT(asked(), IsEmpty());
  EXPECT_EQ(again[1].completion_ids, first[1].completion_ids);
}

TEST_F(CachedRolloutSourceTest, TellsApartAllThatDecidesACompletion) {
  std::vector<RolloutRequest> others(9, request_of(5));
  others[1].seed = 1;
  others[2].stream_index = 1;
  others[3].sampling.temperature = 0.5;
  others[4].sampling.top_p = 0.5;
  others[5].sampling.top_k = 5;
  others[6].sampling.max_new_tokens = 5;
  others[7].sampling.regex = "a+";
  others[8].prompt_ids = {5, 5};
  for (const RolloutRequest& other : others) open().generate({&other, 1});
  EXPECT_EQ(asked().size(), others.size());
  open("another model").generate({others.data(), 1});
  EXPECT_EQ(asked().size(), 1U);
}

TEST_F(CachedRolloutSourceTest, NamesRequestsByTheirPlaceAmongAll) {
  CachedRolloutSource source = open();
  const RolloutRequest known = request_of(5);
  source.generate({&known, 1});
  const RolloutRequest requests[] = {request_of(5), request_of(6)};
  std::vector<std::size_t> places;
  source.generate(requests, [&](std::size_t index, std::int32_t) {
    places.push_back(index);
    return true;
  });
  EXPECT_THAT(places, ElementsAre(1, 1));
}

TEST_F(CachedRolloutSourceTest, KeepsNothingOfWhatWasStopped) {
  const RolloutRequest requests[] = {request_of(5), request_of(6)};
  const auto partial = open().generate(requests, [](std::size_t, std::int32_t) { return false; });
  EXPECT_EQ(partial[0].completion_ids.size(), 1U);
  asked();
  open().generate(requests);
  EXPECT_THAT(asked(), ElementsAre(5, 6));
}

TEST_F(CachedRolloutSourceTest, MakesAgainWhatALineDoesNotHold) {
  const RolloutRequest request = request_of(5);
  open().generate({&request, 1});
  const std::string line = read_file(file());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = line;
    return changed.replace(changed.find(from), from.size(), to);
  };
  for (const std::string& broken :
       {with("[5,1]", "[5,\"x\"]"), with("[5,1]", "[5,-1]"), with("[5,1]", "[5,4294967297]"),
        with("[5,1]", "{}"), with("[5,1]", "[]"), with("\"length\"", "7"),
        with("\"length\"", "\"\""), line.substr(0, line.size() / 2)}) {
    std::ofstream(file()) << broken << "\n";
    asked();
    open().generate({&request, 1});
    EXPECT_THAT(asked(), ElementsAre(5)) << broken;
  }
}

}  // namespace
}  // namespace aurum::rollout

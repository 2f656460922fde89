#include "rollout/sampler.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"

namespace aurum::rollout {
namespace {

std::vector<float> random_logits(std::size_t count, double spread) {
  RandomStream random(3, "sampler_test");
  std::vector<float> logits(count);
  for (float& logit : logits) logit = static_cast<float>(spread * random.normal());
  return logits;
}

std::int32_t sample(std::vector<float> logits, const SamplingParams& params, RandomStream& random) {
  return sample_token(logits, params, random);
}

// What a full sort keeps, in Hugging Face's order of warpers.
std::set<std::int32_t> kept_by_sorting(const std::vector<float>& logits,
                                       const SamplingParams& params) {
  std::vector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](auto a, auto b) { return logits[a] > logits[b]; });
  if (params.top_k > 0) ids.resize(std::min<std::size_t>(ids.size(), params.top_k));
  std::vector<double> weights;
  for (const auto id : ids) {
    weights.push_back(
        std::exp(static_cast<double>(logits[id] - logits[ids[0]]) / params.temperature));
  }
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::set<std::int32_t> kept;
  double mass = 0;
  for (std::size_t i = 0; i < ids.size() && mass < params.top_p * total; ++i) {
    kept.insert(ids[i]);
    mass += weights[i];
  }
  return kept;
}

TEST(Sampler, GreedyTakesTheFirstOfTheLargest) {
  RandomStream random(0, "rollout");
  EXPECT_EQ(sample({1, 5, 2, 5}, {.temperature = 0}, random), 1);
  EXPECT_EQ(random.position(), 0u);
}

TEST(Sampler, FollowsTheSoftmaxAtItsTemperature) {
  const std::vector<float> logits = {0.0f, 1.0f, 2.0f, -30.0f};
  const SamplingParams params{.temperature = 2.0};
  RandomStream random(7, "rollout");
  std::map<std::int32_t, int> counts;
  constexpr int kDraws = 40000;
  for (int i = 0; i < kDraws; ++i) ++counts[sample(logits, params, random)];
  const double total = 1 + std::exp(0.5) + std::exp(1.0);
  for (int id = 0; id < 3; ++id) {
    EXPECT_NEAR(static_cast<double>(counts[id]) / kDraws, std::exp(0.5 * id) / total, 0.01);
  }
  EXPECT_EQ(counts[3], 0);
}

TEST(Sampler, KeepsExactlyWhatAFullSortKeeps) {
  for (const double spread : {0.1, 1.0, 4.0}) {
    const auto logits = random_logits(200, spread);
    for (const double top_p : {0.05, 0.5, 0.9}) {
      for (const std::int64_t top_k : {0, 1, 40}) {
        const SamplingParams params{.temperature = 0.8, .top_p = top_p, .top_k = top_k};
        const auto expected = kept_by_sorting(logits, params);
        RandomStream random(8, "rollout");
        std::set<std::int32_t> seen;
        for (int i = 0; i < 4000; ++i) seen.insert(sample(logits, params, random));
        EXPECT_TRUE(std::includes(expected.begin(), expected.end(), seen.begin(), seen.end()))
            << "spread " << spread << ", top_p " << top_p << ", top_k " << top_k;
        if (expected.size() < 60 && spread < 4) {
          EXPECT_EQ(seen, expected);
        }
      }
    }
  }
}

TEST(Sampler, DrawsOneNumberPerToken) {
  RandomStream random(9, "rollout");
  sample(random_logits(50, 1), {.top_p = 0.5, .top_k = 10}, random);
  const auto one = random.position();
  sample(random_logits(50, 1), {}, random);
  EXPECT_EQ(random.position(), 2 * one);
}

TEST(Sampler, RefusesWhatMakesNoSense) {
  EXPECT_THROW(check_sampling({.temperature = -1}), InputError);
  EXPECT_THROW(check_sampling({.top_p = 0}), InputError);
  EXPECT_THROW(check_sampling({.top_p = 1.1}), InputError);
  EXPECT_THROW(check_sampling({.top_k = -1}), InputError);
  EXPECT_THROW(check_sampling({.max_new_tokens = 0}), InputError);
}

}  // namespace
}  // namespace aurum::rollout

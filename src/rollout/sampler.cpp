#include "rollout/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "kernels/attention.h"
#include "kernels/pointwise.h"

namespace aurum::rollout {

void check_sampling(const SamplingParams& params) {
  if (!(params.temperature >= 0) || !std::isfinite(params.temperature)) {
    throw InputError(fmt::format("temperature must be a number >= 0, not {}; 0 means greedy",
                                 params.temperature));
  }
  if (!(params.top_p > 0 && params.top_p <= 1)) {
    throw InputError(fmt::format("top_p must be in (0, 1], not {}; 1 turns it off", params.top_p));
  }
  if (params.top_k < 0) {
    throw InputError(fmt::format("top_k must be >= 0, not {}; 0 turns it off", params.top_k));
  }
  if (params.max_new_tokens < 1) {
    throw InputError(
        fmt::format("max_new_tokens must be at least 1, not {}", params.max_new_tokens));
  }
}

namespace {

// The smallest value that top-k keeps, among values where larger is likelier.
float top_k_threshold(std::span<const float> values, std::int64_t k) {
  std::vector<float> copy(values.begin(), values.end());
  const auto kth = copy.begin() + (k - 1);
  std::nth_element(copy.begin(), kth, copy.end(), std::greater<>());
  return *kth;
}

// Ids whose weight can matter: what is left out weighs at most `spare` altogether.
std::vector<std::int32_t> nucleus_candidates(std::span<const float> weights, double spare) {
  const auto floor = static_cast<float>(spare / static_cast<double>(weights.size()));
  std::vector<std::int32_t> ids;
  for (std::size_t id = 0; id < weights.size(); ++id) {
    if (weights[id] > 0 && weights[id] >= floor) ids.push_back(static_cast<std::int32_t>(id));
  }
  return ids;
}

// Shrinks `ids` to the fewest likeliest whose weights reach `mass`, by a quickselect that follows
// the mass. Equal weights count the lower id as likelier, so the result is unique.
void keep_nucleus(std::span<const float> weights, double mass, std::vector<std::int32_t>& ids) {
  const auto likelier = [&](std::int32_t a, std::int32_t b) {
    return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;
  };
  auto begin = ids.begin(), end = ids.end();  // the border lies inside [begin, end)
  while (end - begin > 1) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, likelier);
    double upper = 0;
    for (auto it = begin; it != middle; ++it) upper += static_cast<double>(weights[*it]);
    if (upper >= mass) {
      end = middle;
    } else {
      mass -= upper;
      begin = middle;
    }
  }
  if (begin != ids.end()) ids.erase(begin + 1, ids.end());
  std::sort(ids.begin(), ids.end());
}

std::int32_t draw_from(std::span<const float> weights, std::span<const std::int32_t> ids,
                       double uniform) {
  double total = 0;
  for (const std::int32_t id : ids) total += static_cast<double>(weights[id]);
  double rest = uniform * total;
  for (const std::int32_t id : ids) {
    rest -= static_cast<double>(weights[id]);
    if (rest < 0) return id;
  }
  return ids.back();
}

// The same over every id.
std::int32_t draw_from_all(std::span<const float> weights, double total, double uniform) {
  double rest = uniform * total;
  std::int32_t last_possible = 0;
  for (std::size_t id = 0; id < weights.size(); ++id) {
    if (weights[id] <= 0) continue;
    last_possible = static_cast<std::int32_t>(id);
    rest -= static_cast<double>(weights[id]);
    if (rest < 0) break;
  }
  return last_possible;
}

}  // namespace

std::int32_t sample_token(std::span<float> logits, const SamplingParams& params,
                          RandomStream& random) {
  AURUM_CHECK(!logits.empty());
  const auto count = static_cast<std::int64_t>(logits.size());
  const std::int64_t likeliest = kernels::index_of_largest(logits.data(), count);
  if (params.temperature == 0) return static_cast<std::int32_t>(likeliest);
  float threshold = 0;  // weights below it are cut
  // Dividing by a denormal temperature must not make the largest logit a NaN.
  const float temperature = std::max(static_cast<float>(params.temperature), 1e-30f);
  double total = kernels::exponentiate(logits.data(), count, logits[likeliest], temperature);
  if (params.top_k > 0 && params.top_k < count) {
    threshold = top_k_threshold(logits, params.top_k);
    total = 0;
    for (float& weight : logits) {
      if (weight < threshold) weight = 0;
      total += static_cast<double>(weight);
    }
  }
  const double uniform = random.uniform();
  if (params.top_p >= 1) return draw_from_all(logits, total, uniform);
  std::vector<std::int32_t> ids = nucleus_candidates(logits, (1 - params.top_p) * total);
  keep_nucleus(logits, params.top_p * total, ids);
  return draw_from(logits, ids, uniform);
}

}  // namespace aurum::rollout

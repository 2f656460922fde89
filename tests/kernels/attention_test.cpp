#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "base/random_stream.h"
#include "kernels/bfloat16.h"
#include "kernels/pointwise.h"

namespace aurum::kernels {
namespace {

std::vector<float> random_values(std::int64_t count, std::uint64_t index) {
  RandomStream random(2, "attention_test", index);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = to_float(to_bfloat16(static_cast<float>(random.normal())));
  return values;
}

// One head, in doubles, straight from the definition.
std::vector<double> naive(const AttentionShape& shape, const std::vector<float>& keys,
                          const std::vector<float>& values, const float* query,
                          std::int64_t kv_head, std::int64_t begin, std::int64_t end) {
  const std::int64_t d = shape.head_dim;
  std::vector<double> out(static_cast<std::size_t>(d));
  double sum = 0;
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t row = (p * shape.num_kv_heads + kv_head) * d;
    double score = 0;
    for (std::int64_t i = 0; i < d; ++i) score += static_cast<double>(query[i] * keys[row + i]);
    score *= static_cast<double>(shape.scale);
    const auto cap = static_cast<double>(shape.softcap);
    if (cap > 0) score = cap * std::tanh(score / cap);
    const double weight = std::exp(score);
    sum += weight;
    for (std::int64_t i = 0; i < d; ++i) out[i] += weight * static_cast<double>(values[row + i]);
  }
  for (double& value : out) value /= sum;
  return out;
}

struct Case {
  std::int64_t head_dim, window;
  float softcap;
  bool is_bfloat16;
};

class AttentionTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionTest, MatchesTheDefinitionAtEveryPosition) {
  const Case c = GetParam();
  const AttentionShape shape{.num_heads = 4,
                             .num_kv_heads = 2,
                             .head_dim = c.head_dim,
                             .scale = 0.3f,
                             .softcap = c.softcap};
  constexpr std::int64_t kLength = 37;
  const std::int64_t row = shape.num_kv_heads * c.head_dim;
  const auto keys = random_values(kLength * row, 0), values = random_values(kLength * row, 1);
  const auto queries = random_values(shape.num_heads * c.head_dim, 2);
  for (int s = 0; s <= static_cast<int>(best_instruction_set()); ++s) {
    KvCache cache(shape, 2, kLength, c.is_bfloat16);
    std::vector<float> out(queries.size()), scratch;
    for (std::int64_t p = 0; p < kLength; ++p) {
      cache.store(1, p, keys.data() + p * row, values.data() + p * row);
      for (std::int64_t h = 0; h < 2; ++h) {
        attend(shape, cache, 1, h, p, c.window, queries.data(), out.data(), scratch,
               {.cache = &cache, .kv_head = 1 - h}, static_cast<InstructionSet>(s));
      }
      const std::int64_t begin = c.window > 0 ? std::max<std::int64_t>(0, p - c.window + 1) : 0;
      for (std::int64_t head = 0; head < 4; ++head) {
        const auto expected =
            naive(shape, keys, values, queries.data() + head * c.head_dim, head / 2, begin, p + 1);
        for (std::int64_t i = 0; i < c.head_dim; ++i) {
          ASSERT_NEAR(out[head * c.head_dim + i], expected[i], 1e-5) << "position " << p;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest,
                         testing::Values(Case{64, 0, 0.0f, false}, Case{64, 0, 0.0f, true},
                                         Case{7, 0, 0.0f, false}, Case{7, 3, 0.0f, true},
                                         Case{80, 5, 0.0f, true}, Case{16, 17, 2.0f, false}));

TEST(Pointwise, FindsTheFirstLargestAtEveryPlace) {
  for (const std::int64_t size : {1, 15, 16, 63, 64, 65, 200}) {
    for (std::int64_t place = 0; place < size; ++place) {
      std::vector<float> values(static_cast<std::size_t>(size), -3.0f);
      for (std::int64_t i = place; i < size; i += 7) values[static_cast<std::size_t>(i)] = -1.0f;
      EXPECT_EQ(index_of_largest(values.data(), size), place) << size;
      EXPECT_EQ(index_of_largest(values.data(), size, InstructionSet::kPlain), place) << size;
    }
  }
  const float none[] = {NAN, NAN};
  EXPECT_EQ(index_of_largest(none, 2), 0);
}

TEST(Pointwise, ActivationsMatchTheirFormulas) {
  std::vector<float> x, up, out(45);
  for (int i = 0; i < 45; ++i) {
    x.push_back(static_cast<float>(i - 22) * 1.3f);
    up.push_back(static_cast<float>(i) * 0.1f);
  }
  activate(PointwiseActivation::kSilu, x.data(), up.data(), 45, out.data());
  for (int i = 0; i < 45; ++i) {
    const auto v = static_cast<double>(x[i]);
    EXPECT_NEAR(out[i], v / (1 + std::exp(-v)) * static_cast<double>(up[i]), 2e-5);
  }
  activate(PointwiseActivation::kGeluTanh, x.data(), nullptr, 45, out.data());
  for (int i = 0; i < 45; ++i) {
    const auto v = static_cast<double>(x[i]);
    const double expected =
        0.5 * v * (1 + std::tanh(0.7978845608028654 * (v + 0.044715 * v * v * v)));
    EXPECT_NEAR(out[i], expected, 2e-5);
  }
}

}  // namespace
}  // namespace aurum::kernels

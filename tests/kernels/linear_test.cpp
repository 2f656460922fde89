#include "kernels/linear.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/random_stream.h"
#include "kernels/bfloat16.h"

namespace aurum::kernels {
namespace {

std::vector<float> random_values(std::size_t count, std::uint64_t index) {
  RandomStream random(1, "linear_test", index);
  std::vector<float> values(count);
  for (float& value : values) value = to_float(to_bfloat16(static_cast<float>(random.normal())));
  return values;
}

std::vector<BFloat16> rounded(const std::vector<float>& values) {
  std::vector<BFloat16> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(), to_bfloat16);
  return result;
}

std::vector<InstructionSet> usable_sets() {
  std::vector<InstructionSet> sets;
  for (int s = 0; s <= static_cast<int>(best_instruction_set()); ++s) {
    sets.push_back(static_cast<InstructionSet>(s));
  }
  return sets;
}

struct Case {
  std::int64_t rows, cols, batch;
};

class LinearTest : public testing::TestWithParam<Case> {};

TEST_P(LinearTest, EveryInstructionSetMatchesDoubles) {
  const auto [rows, cols, batch] = GetParam();
  const auto weights = random_values(static_cast<std::size_t>(rows * cols), 0);
  const auto input = random_values(static_cast<std::size_t>(batch * cols), 1);
  const auto bias = random_values(static_cast<std::size_t>(rows), 2);
  const auto half = rounded(weights);
  for (const InstructionSet set : usable_sets()) {
    for (const bool is_bfloat16 : {false, true}) {
      const WeightMatrix matrix{
          is_bfloat16 ? static_cast<const void*>(half.data()) : weights.data(), is_bfloat16, rows,
          cols, bias.data()};
      std::vector<float> out(static_cast<std::size_t>(batch * rows));
      linear({&matrix, 1}, input.data(), batch, out.data(), set);
      for (std::int64_t b = 0; b < batch; ++b) {
        for (std::int64_t r = 0; r < rows; ++r) {
          double expected = static_cast<double>(bias[r]);
          for (std::int64_t k = 0; k < cols; ++k) {
            expected += static_cast<double>(weights[r * cols + k]) *
                        static_cast<double>(input[b * cols + k]);
          }
          ASSERT_NEAR(out[b * rows + r], expected, 2e-4)
              << instruction_set_name(set) << " row " << r << " of batch " << b;
        }
      }
    }
  }
}

TEST_P(LinearTest, ARowHasTheSameBitsAloneAndInABatch) {
  const auto [rows, cols, batch] = GetParam();
  const auto weights = rounded(random_values(static_cast<std::size_t>(rows * cols), 3));
  const auto input = random_values(static_cast<std::size_t>(batch * cols), 4);
  const WeightMatrix matrix{weights.data(), true, rows, cols, nullptr};
  for (const InstructionSet set : usable_sets()) {
    std::vector<float> together(static_cast<std::size_t>(batch * rows));
    std::vector<float> alone(static_cast<std::size_t>(rows));
    linear({&matrix, 1}, input.data(), batch, together.data(), set);
    for (std::int64_t b = 0; b < batch; ++b) {
      linear({&matrix, 1}, input.data() + b * cols, 1, alone.data(), set);
      for (std::int64_t r = 0; r < rows; ++r) ASSERT_EQ(together[b * rows + r], alone[r]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LinearTest,
                         testing::Values(Case{1, 1, 1}, Case{7, 33, 5}, Case{66, 100, 9},
                                         Case{4, 16, 32}, Case{130, 257, 6}, Case{49, 65, 25}));

class FusedPartsTest : public testing::TestWithParam<bool> {};

TEST_P(FusedPartsTest, StandSideBySide) {
  const bool is_bfloat16 = GetParam();
  const auto first = random_values(35 * 20, 5), second = random_values(3 * 20, 6);
  const auto first_half = rounded(first), second_half = rounded(second);
  const auto data = [&](const auto& half, const auto& full) {
    return is_bfloat16 ? static_cast<const void*>(half.data()) : full.data();
  };
  const auto input = random_values(2 * 20, 7);
  const WeightMatrix parts[] = {{data(first_half, first), is_bfloat16, 35, 20, nullptr},
                                {data(second_half, second), is_bfloat16, 3, 20, nullptr}};
  std::vector<float> fused(76), a(70), b(6);
  linear(parts, input.data(), 2, fused.data());
  linear({&parts[0], 1}, input.data(), 2, a.data());
  linear({&parts[1], 1}, input.data(), 2, b.data());
  for (int t = 0; t < 2; ++t) {
    for (int r = 0; r < 35; ++r) EXPECT_EQ(fused[t * 38 + r], a[t * 35 + r]);
    for (int r = 0; r < 3; ++r) EXPECT_EQ(fused[t * 38 + 35 + r], b[t * 3 + r]);
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, FusedPartsTest, testing::Bool());

}  // namespace
}  // namespace aurum::kernels

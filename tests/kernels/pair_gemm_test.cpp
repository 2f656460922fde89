#include "kernels/pair_gemm.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "base/random_stream.h"
#include "kernels/packed_linear.h"

namespace aurum::kernels {
namespace {

std::vector<BFloat16> random_matrix(std::int64_t count, std::uint64_t index) {
  RandomStream random(3, "pair_gemm_test", index);
  std::vector<BFloat16> values(static_cast<std::size_t>(count));
  for (BFloat16& value : values) value = to_bfloat16(static_cast<float>(random.normal()));
  return values;
}

std::vector<float> random_floats(std::int64_t count, std::uint64_t index) {
  RandomStream random(4, "pair_gemm_test", index);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

std::vector<BFloat16> transposed(const std::vector<BFloat16>& matrix, std::int64_t rows,
                                 std::int64_t columns) {
  std::vector<BFloat16> result(matrix.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) result[c * rows + r] = matrix[r * columns + c];
  }
  return result;
}

struct Sizes {
  std::int64_t rows, columns, depth;
};

class PairGemmTest : public testing::TestWithParam<Sizes> {
 protected:
  void SetUp() override {
    if (!has_pair_gemm()) GTEST_SKIP() << "no AVX-512 BF16 here";
  }

  // A [rows, depth] row by row, and B [depth, columns].
  const Sizes sizes_ = GetParam();
  const std::vector<BFloat16> a_ = random_matrix(sizes_.rows * sizes_.depth, 0);
  const std::vector<BFloat16> b_ = random_matrix(sizes_.depth * sizes_.columns, 1);
  const std::vector<float> bias_ = random_floats(sizes_.columns, 2);

  PairGemm gemm(const PairRows& a, PanelSource panels, std::vector<float>& out) const {
    out.assign(static_cast<std::size_t>(sizes_.rows * sizes_.columns), NAN);
    return {.rows = sizes_.rows,
            .columns = sizes_.columns,
            .depth = sizes_.depth,
            .a = a,
            .panels = std::move(panels),
            .bias = bias_.data(),
            .out = out.data(),
            .out_stride = sizes_.columns};
  }

  // In doubles, to within the rounding of float32 sums.
  void expect_product(const std::vector<float>& out) const {
    for (std::int64_t r = 0; r < sizes_.rows; ++r) {
      for (std::int64_t c = 0; c < sizes_.columns; ++c) {
        double sum = static_cast<double>(bias_[c]), size = 1;
        for (std::int64_t k = 0; k < sizes_.depth; ++k) {
          const double term = static_cast<double>(to_float(a_[r * sizes_.depth + k])) *
                              static_cast<double>(to_float(b_[k * sizes_.columns + c]));
          sum += term;
          size += std::abs(term);
        }
        ASSERT_NEAR(out[r * sizes_.columns + c], sum, 1e-6 * size)
            << "row " << r << " column " << c;
      }
    }
  }
};

TEST_P(PairGemmTest, EveryOrderOfTheOperandsGivesTheSameBits) {
  const auto rows = transposed(b_, sizes_.depth, sizes_.columns);
  const auto a_columns = transposed(a_, sizes_.rows, sizes_.depth);
  AlignedBuffer<Pair> storage;
  const PairRows a = transposed_rows_of(a_columns.data(), sizes_.depth, sizes_.rows, storage);
  std::vector<float> first, second;
  pair_gemm(gemm(a, columns_of(b_.data(), sizes_.depth, sizes_.columns), first));
  pair_gemm(gemm(a, rows_as_columns(rows.data(), sizes_.columns, sizes_.depth), second));
  expect_product(first);
  EXPECT_EQ(first, second);
  if (sizes_.depth % 2 != 0) return;  // rows of A as they lie are pairs
  pair_gemm(gemm(rows_of(a_.data(), sizes_.depth),
                 columns_of(b_.data(), sizes_.depth, sizes_.columns), second));
  EXPECT_EQ(first, second);
}

TEST_P(PairGemmTest, RoundsTheSumWhenAsked) {
  std::vector<float> full;
  AlignedBuffer<Pair> storage;
  const auto a_columns = transposed(a_, sizes_.rows, sizes_.depth);
  PairGemm product = gemm(transposed_rows_of(a_columns.data(), sizes_.depth, sizes_.rows, storage),
                          columns_of(b_.data(), sizes_.depth, sizes_.columns), full);
  pair_gemm(product);
  std::vector<BFloat16> rounded(full.size()), expected(full.size());
  std::transform(full.begin(), full.end(), expected.begin(), to_bfloat16);
  product.out = nullptr;
  product.rounded_out = rounded.data();
  pair_gemm(product);
  EXPECT_EQ(rounded, expected);
}

TEST_P(PairGemmTest, AddsToWhatIsThere) {
  std::vector<float> product, sum;
  AlignedBuffer<Pair> storage;
  const auto a_columns = transposed(a_, sizes_.rows, sizes_.depth);
  PairGemm adding = gemm(transposed_rows_of(a_columns.data(), sizes_.depth, sizes_.rows, storage),
                         columns_of(b_.data(), sizes_.depth, sizes_.columns), product);
  adding.bias = nullptr;
  pair_gemm(adding);
  const auto before = random_floats(sizes_.rows * sizes_.columns, 9);
  sum = before;
  adding.adds_to_out = true;
  adding.out = sum.data();
  pair_gemm(adding);
  for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(sum[i], product[i] + before[i]) << i;
}

// Values that are a high and a low half meet each row of B twice.
TEST_P(PairGemmTest, MultipliesBothHalvesOfAValue) {
  std::vector<BFloat16> twice;
  for (std::int64_t k = 0; k < sizes_.depth; ++k) {
    const auto row = b_.begin() + k * sizes_.columns;
    for (int half = 0; half < 2; ++half) twice.insert(twice.end(), row, row + sizes_.columns);
  }
  const auto halves = random_matrix(sizes_.rows * 2 * sizes_.depth, 10);
  std::vector<float> expected, ours;
  PairGemm product = gemm(rows_of(halves.data(), 2 * sizes_.depth),
                          columns_of(twice.data(), 2 * sizes_.depth, sizes_.columns), expected);
  product.depth = 2 * sizes_.depth;
  pair_gemm(product);
  ours = expected;
  product.panels = doubled_rows_of(b_.data(), sizes_.columns);
  product.out = ours.data();
  std::fill(ours.begin(), ours.end(), NAN);
  pair_gemm(product);
  EXPECT_EQ(ours, expected);
}

INSTANTIATE_TEST_SUITE_P(Sizes, PairGemmTest,
                         testing::Values(Sizes{1, 1, 1}, Sizes{5, 64, 32}, Sizes{6, 65, 33},
                                         Sizes{49, 130, 70}, Sizes{97, 31, 64},
                                         Sizes{400, 70, 1600},  // blocks of the summed dimension
                                         Sizes{1543, 3, 9}),    // blocks of rows
                         [](const auto& sizes) {
                           return std::to_string(sizes.param.rows) + "x" +
                                  std::to_string(sizes.param.columns) + "x" +
                                  std::to_string(sizes.param.depth);
                         });

TEST(PackedLinear, GivesTheBitsOfItsPartsForEveryBatch) {
  if (!has_pair_gemm()) GTEST_SKIP() << "no AVX-512 BF16 here";
  constexpr std::int64_t kCols = 45, kFirst = 70, kSecond = 9;
  const auto first = random_matrix(kFirst * kCols, 5), second = random_matrix(kSecond * kCols, 6);
  const auto bias = random_floats(kSecond, 7);
  const WeightMatrix parts[] = {{first.data(), true, kFirst, kCols, nullptr},
                                {second.data(), true, kSecond, kCols, bias.data()}};
  const PackedLinear packed(parts);
  for (const std::int64_t batch : {1, 6, 7, 40}) {
    const auto input = random_floats(batch * kCols, 8);
    std::vector<float> expected(static_cast<std::size_t>(batch * (kFirst + kSecond)));
    std::vector<float> out(expected.size());
    linear(parts, input.data(), batch, expected.data());
    packed(input.data(), batch, out.data());
    EXPECT_EQ(out, expected) << batch << " rows";
  }
}

}  // namespace
}  // namespace aurum::kernels

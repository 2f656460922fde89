#include "model/layers/matrix_products.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/tensor_memory.h"

namespace aurum::model {
namespace {

struct Sizes {
  std::int64_t tokens, in, out;
};

class MatrixProductsTest : public testing::TestWithParam<Sizes> {
 protected:
  MatrixProductsTest() { at::manual_seed(1); }

  at::Tensor random(std::int64_t rows, std::int64_t columns) {
    return at::randn({rows, columns}).to(at::kBFloat16);
  }

  // Both round a float32 sum to bfloat16 once; sums in another order may fall on the other side.
  static void expect_near(const at::Tensor& actual, const at::Tensor& exact) {
    ASSERT_EQ(actual.scalar_type(), at::kBFloat16);
    ASSERT_EQ(actual.sizes(), exact.sizes());
    const at::Tensor difference = (actual.to(at::kFloat) - exact).abs();
    const at::Tensor allowed = exact.abs() * 0x1p-8 + 1e-4;
    EXPECT_TRUE(difference.le(allowed).all().item<bool>()) << difference.max().item<float>();
  }

  const Sizes sizes_ = GetParam();
  at::Tensor x_ = random(sizes_.tokens, sizes_.in);
  at::Tensor weight_ = random(sizes_.out, sizes_.in);
  at::Tensor dy_ = random(sizes_.tokens, sizes_.out);
};

TEST_P(MatrixProductsTest, AreTheProductsOfFloatFactors) {
  const at::Tensor x = x_.to(at::kFloat), weight = weight_.to(at::kFloat), dy = dy_.to(at::kFloat);
  const at::Tensor bias = random(1, sizes_.out)[0];
  expect_near(linear_product(x_, weight_, bias), at::linear(x, weight, bias.to(at::kFloat)));
  expect_near(linear_product(x_, weight_, {}), at::linear(x, weight));
  expect_near(input_gradient(dy_, weight_), dy.mm(weight));
  expect_near(weight_gradient(dy_, x_), dy.t().mm(x));
}

TEST_P(MatrixProductsTest, TakeViewsOfOtherLayouts) {
  const at::Tensor wide = at::cat({x_, x_}, 1), stored = weight_.t().contiguous();
  const at::Tensor view = wide.slice(1, 0, sizes_.in);
  expect_near(linear_product(view, stored.t(), {}),
              at::linear(x_.to(at::kFloat), weight_.to(at::kFloat)));
}

INSTANTIATE_TEST_SUITE_P(Shapes, MatrixProductsTest,
                         testing::Values(Sizes{1, 32, 64}, Sizes{13, 96, 80}, Sizes{50, 33, 65},
                                         Sizes{200, 1600, 70}));

TEST(KeepTensorMemory, GivesALargeBlockAgain) {
  keep_tensor_memory();
  constexpr std::int64_t kBytes = std::int64_t{40} << 20;
  const void* first = nullptr;
  {
    const at::Tensor tensor = at::zeros({kBytes}, at::kByte);
    first = tensor.const_data_ptr();
  }
  const at::Tensor smaller = at::ones({kBytes - 1000}, at::kByte);
  EXPECT_EQ(smaller.const_data_ptr(), first);
  const at::Tensor other = at::zeros({kBytes}, at::kByte);  // the first block is in use
  EXPECT_NE(other.const_data_ptr(), first);
  EXPECT_EQ(smaller.sum().item<std::int64_t>(), kBytes - 1000);
}

// A large block of an earlier phase must not push out, again and again, what the present one needs.
TEST(KeepTensorMemory, ForgetsWhatHasWaitedLongest) {
  keep_tensor_memory();
  constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
  { const at::Tensor stale = at::empty({400 * kMebibyte}, at::kByte); }
  for (int layer = 0; layer < 3; ++layer) {
    for (const std::int64_t mebibytes : {170, 210}) {
      at::Tensor tensor = at::empty({mebibytes * kMebibyte}, at::kByte);
      // Memory of the system would be zero.
      if (layer > 0) {
        EXPECT_EQ(tensor[0].item<std::uint8_t>(), 1) << mebibytes;
      }
      tensor[0] = 1;
    }
  }
}

}  // namespace
}  // namespace aurum::model

// The AVX-512 BF16 products against libtorch's in float64.

#include "loss/bf16_products.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "loss/row_kernels.h"

namespace aurum::loss {
namespace {

struct Sizes {
  std::int64_t rows, hidden, vocab;
};

class Bf16Products : public testing::TestWithParam<Sizes> {
 protected:
  void SetUp() override {
    if (!has_bf16_products()) GTEST_SKIP() << "this processor has no AVX-512 BF16";
    at::manual_seed(3);
    x_ = at::randn({sizes_.rows, sizes_.hidden}).to(at::kBFloat16);
    head_ = at::randn({sizes_.vocab, sizes_.hidden}).to(at::kBFloat16);
    gradient_ = at::randn({sizes_.rows, padded(sizes_.vocab)});
    gradient_.slice(1, sizes_.vocab).zero_();
    split_ = at::empty({sizes_.rows, 2, padded(sizes_.vocab)}, at::kBFloat16);
    for (std::int64_t n = 0; n < sizes_.rows; ++n) {
      auto* high = static_cast<Bits16*>(split_[n].mutable_data_ptr());
      split_bf16(gradient_[n].const_data_ptr<float>(), padded(sizes_.vocab), high,
                 high + padded(sizes_.vocab));
    }
  }

  static const Bits16* bits(const at::Tensor& tensor) {
    return static_cast<const Bits16*>(tensor.const_data_ptr());
  }
  HeadMatrix head() const { return {bits(head_), sizes_.vocab, sizes_.hidden}; }
  SplitMatrix split() const {
    return {bits(split_), sizes_.rows, sizes_.vocab, padded(sizes_.vocab)};
  }
  at::Tensor wide_gradient() const { return gradient_.slice(1, 0, sizes_.vocab).to(at::kDouble); }
  void expect_near(const at::Tensor& ours, const at::Tensor& expected, double tolerance) {
    const double largest = expected.abs().max().item<double>();
    EXPECT_LE((ours - expected).abs().max().item<double>(), tolerance * largest);
  }

  const Sizes sizes_ = GetParam();
  at::Tensor x_, head_, gradient_, split_;
};

TEST_P(Bf16Products, HeadProductKeepsFloat32Sums) {
  at::Tensor out = at::zeros({sizes_.rows, padded(sizes_.vocab)});
  multiply_by_head(bits(x_), sizes_.rows, head(), out.mutable_data_ptr<float>(),
                   padded(sizes_.vocab));
  expect_near(out.slice(1, 0, sizes_.vocab), at::mm(x_.to(at::kDouble), head_.to(at::kDouble).t()),
              1e-6);
  EXPECT_EQ(out.slice(1, sizes_.vocab).abs().sum().item<double>(), 0.0);
}

TEST_P(Bf16Products, GradientsKeepBothHalves) {
  at::Tensor hidden = at::empty({sizes_.rows, sizes_.hidden});
  gradient_to_hidden(split(), head(), hidden.mutable_data_ptr<float>());
  expect_near(hidden, at::mm(wide_gradient(), head_.to(at::kDouble)), 1e-5);

  at::Tensor head_gradient = at::ones({sizes_.vocab, sizes_.hidden});
  add_gradient_to_head(split(), bits(x_), sizes_.hidden, head_gradient.mutable_data_ptr<float>());
  expect_near(head_gradient, at::mm(wide_gradient().t(), x_.to(at::kDouble)) + 1.0, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(AnySize, Bf16Products,
                         testing::Values(Sizes{1, 1, 1}, Sizes{1, 33, 7}, Sizes{4, 64, 128},
                                         Sizes{5, 70, 131}, Sizes{7, 100, 517},
                                         Sizes{8, 96, 1030}));

}  // namespace
}  // namespace aurum::loss

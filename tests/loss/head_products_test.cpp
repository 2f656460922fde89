// The products of a bfloat16 head against libtorch's in float64, by whichever way the processor
// takes.

#include "loss/head_products.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "loss/row_kernels.h"

namespace aurum::loss {
namespace {

struct Sizes {
  std::int64_t rows, hidden, vocab;
};

class Bfloat16Head : public testing::TestWithParam<Sizes> {
 protected:
  Bfloat16Head() {
    at::manual_seed(3);
    head_ = {.hidden = at::randn({sizes_.rows, sizes_.hidden}).to(at::kBFloat16),
             .weight = at::randn({sizes_.vocab, sizes_.hidden}).to(at::kBFloat16),
             .vocab = sizes_.vocab};
  }

  at::Tensor hidden() const { return head_.hidden.to(at::kDouble); }
  at::Tensor weight() const { return head_.weight.to(at::kDouble); }
  void expect_near(const at::Tensor& ours, const at::Tensor& expected, double tolerance) {
    const double largest = expected.abs().max().item<double>();
    EXPECT_LE((ours - expected).abs().max().item<double>(), tolerance * largest);
  }

  const Sizes sizes_ = GetParam();
  const at::Tensor positions_ = at::arange(sizes_.rows, at::kLong);
  HeadInput head_;
};

TEST_P(Bfloat16Head, LogitsKeepFloat32Sums) {
  HeadProducts products(head_);
  at::Tensor logits = at::full({sizes_.rows, products.stride()}, 7.0F);
  products.logits(positions_, logits.mutable_data_ptr<float>());
  expect_near(logits.slice(1, 0, sizes_.vocab), at::mm(hidden(), weight().t()), 1e-6);
  EXPECT_TRUE(logits.slice(1, sizes_.vocab).eq(7.0F).all().item<bool>());
}

// A gradient rounded to bfloat16 once would be off by 2e-3.
TEST_P(Bfloat16Head, GradientsKeepBothHalves) {
  HeadProducts products(head_);
  at::Tensor gradient = at::randn({sizes_.rows, products.stride()});
  const at::Tensor wide = gradient.slice(1, 0, sizes_.vocab).to(at::kDouble);
  for (std::int64_t n = 0; n < sizes_.rows && products.takes_split_gradient(); ++n) {
    auto* row = gradient[n].mutable_data_ptr<float>();
    const std::vector<float> values(row, row + products.stride());
    split_into_pairs(values.data(), products.stride(), reinterpret_cast<kernels::Pair*>(row));
  }
  LossGradients gradients{.student_hidden = at::ones({sizes_.rows, sizes_.hidden}),
                          .student_weight = at::ones({sizes_.vocab, sizes_.hidden})};
  products.add_gradient(positions_, gradient.mutable_data_ptr<float>(), gradients);
  expect_near(gradients.student_hidden - 1.0, at::mm(wide, weight()), 1e-5);
  expect_near(gradients.student_weight - 1.0, at::mm(wide.t(), hidden()), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(AnySize, Bfloat16Head,
                         testing::Values(Sizes{1, 1, 1}, Sizes{1, 33, 7}, Sizes{4, 64, 128},
                                         Sizes{5, 70, 131}, Sizes{7, 100, 517},
                                         Sizes{20, 96, 13000}));  // two tiles of the head

}  // namespace
}  // namespace aurum::loss

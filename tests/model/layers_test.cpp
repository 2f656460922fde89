// The fused layers against their plain ATen twins: values and gradients, in each dtype.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/gated_unit.h"
#include "kernels/rms_norm.h"
#include "kernels/row_attention.h"
#include "model/layers/attention.h"
#include "model/layers/gated_activation.h"
#include "model/layers/norm.h"

namespace aurum::model {
namespace {

using Run = std::function<at::Tensor(const at::Tensor&)>;

// The mean difference relative to the mean size.
double distance(const at::Tensor& ours, const at::Tensor& expected) {
  const at::Tensor a = ours.to(at::kFloat), b = expected.to(at::kFloat);
  return ((a - b).abs().mean() / b.abs().mean()).item<double>();
}

// Runs both forwards and backwards with the same output gradient; bfloat16 is compared with the
// plain form in float32 on the same rounded input.
void expect_twins(const Run& fused, const Run& plain, const at::Tensor& x) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const double tolerance = dtype == at::kFloat ? 1e-5 : 1.5e-2;
    const at::Tensor input = x.to(dtype);
    const at::Tensor a = input.clone().requires_grad_(true);
    const at::Tensor b = input.to(at::kFloat, false, true).requires_grad_(true);
    const at::Tensor ours = fused(a), theirs = plain(b);
    const at::Tensor gradient = at::randn_like(theirs).to(dtype);
    ours.backward(gradient);
    theirs.backward(gradient.to(at::kFloat));
    EXPECT_LT(distance(ours, theirs), tolerance);
    EXPECT_LT(distance(a.grad(), b.grad()), tolerance);
  }
}

struct AttentionCase {
  const char* name;
  std::int64_t window = 0;
  double softcap = 0.0;
  bool rotates = true;
  std::int64_t num_kv_heads = 2;
};

void PrintTo(const AttentionCase& c, std::ostream* out) { *out << c.name; }

class AttentionTwins : public ::testing::TestWithParam<AttentionCase> {};

// Rows shorter, longer and much longer than a block of 64 queries; a head dimension that is no
// multiple of 16, of which six dimensions rotate.
TEST_P(AttentionTwins, AgreeInValuesAndGradients) {
  at::manual_seed(3);
  const std::vector<std::int64_t> row_offsets = {0, 70, 71, 76, 230};
  const AttentionLayer layer{.num_heads = 4,
                             .num_kv_heads = GetParam().num_kv_heads,
                             .head_dim = 10,
                             .scale = 0.4,
                             .softcap = GetParam().softcap,
                             .window = GetParam().window};
  const at::Tensor angles = at::rand({230, 3}) * 6;
  const RotaryTable table{.cos = angles.cos(), .sin = angles.sin()};
  const RotaryTable* rotary = GetParam().rotates ? &table : nullptr;
  expect_twins([&](const at::Tensor& x) { return attend(layer, x, rotary, row_offsets); },
               [&](const at::Tensor& x) { return attend_plainly(layer, x, rotary, row_offsets); },
               at::randn({230, (4 + 2 * GetParam().num_kv_heads) * 10}));
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTwins,
                         ::testing::Values(AttentionCase{"Full"}, AttentionCase{"Window", 9},
                                           AttentionCase{"WideWindow", 100},
                                           AttentionCase{"SoftCap", 0, 1.5},
                                           AttentionCase{"SoftCapInWindow", 20, 1.5},
                                           AttentionCase{"NoPositions", 0, 0.0, false},
                                           AttentionCase{"OneHeadPerKey", 0, 0.0, true, 4}),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(Attention, SinksTakeTheirShareOfTheSoftmax) {
  at::manual_seed(4);
  AttentionLayer layer{.num_heads = 4, .num_kv_heads = 2, .head_dim = 8, .scale = 0.3};
  layer.sinks = at::randn({4});
  const at::Tensor qkv = at::randn({90, 64});
  const std::vector<std::int64_t> row_offsets = {0, 80, 90};
  EXPECT_LT(distance(attend(layer, qkv, nullptr, row_offsets),
                     attend_plainly(layer, qkv, nullptr, row_offsets)),
            1e-5);
}

class Norms : public ::testing::TestWithParam<NormKind> {};

TEST_P(Norms, AgreeInValuesAndGradients) {
  at::manual_seed(5);
  const at::Tensor x = at::randn({50, 37}), branch = at::randn({50, 37});
  const at::Tensor weight = at::randn({37}).to(at::kBFloat16).to(at::kFloat);
  const auto norm_for = [&](const at::Tensor& input) {
    return Norm{.kind = GetParam(), .weight = weight.to(input.scalar_type())};
  };
  Norm norm;  // outlives the graph, as a model's does
  expect_twins(
      [&](const at::Tensor& input) {
        norm = norm_for(input);
        const auto [sum, normed] = norm.add(input, branch.to(input.scalar_type()));
        return sum * 0.5 + normed;
      },
      [&](const at::Tensor& input) {
        const at::Tensor sum = input + branch;
        return sum * 0.5 + plain_rms_norm(sum, weight, GetParam());
      },
      x);
}

TEST_P(Norms, GiveTheWeightItsGradient) {
  at::manual_seed(6);
  const at::Tensor x = at::randn({300, 24});
  const at::Tensor a = at::randn({24}).requires_grad_(true);
  const at::Tensor b = a.detach().clone().requires_grad_(true);
  const Norm norm{.kind = GetParam(), .weight = a};
  norm(x).pow(3).sum().backward();
  plain_rms_norm(x, b, GetParam()).pow(3).sum().backward();
  EXPECT_LT(distance(a.grad(), b.grad()), 1e-5);
}

// Branches that are far smaller than the residual add up instead of vanishing one by one.
TEST_P(Norms, AddBfloat16BranchesToAFloat32Residual) {
  at::manual_seed(9);
  const at::Tensor x = at::randn({20, 32}), branch = at::randn({20, 32}).to(at::kBFloat16) * 1e-3;
  const Norm norm{.kind = GetParam(), .weight = at::randn({32}).to(at::kBFloat16)};
  const auto [sum, normed] = norm.add(x, branch);
  EXPECT_TRUE(at::equal(sum, x + branch));
  EXPECT_EQ(normed.scalar_type(), at::kBFloat16);
  const at::Tensor exact = plain_rms_norm(sum, norm.weight.to(at::kFloat), GetParam());
  EXPECT_LT(distance(normed.to(at::kFloat), exact), 1.0 / 256);  // one rounding
  EXPECT_TRUE(at::equal(norm(sum), normed));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Norms,
                         ::testing::Values(NormKind{}, NormKind{.rounds_last = true},
                                           NormKind{.adds_one = true, .rounds_last = true}));

TEST(GatedActivation, AgreesInValuesAndGradients) {
  at::manual_seed(7);
  for (const auto kind : {weights::Activation::kSilu, weights::Activation::kGeluTanh}) {
    const MlpActivation activation{.kind = kind};
    expect_twins([&](const at::Tensor& x) { return apply_activation(activation, x); },
                 [&](const at::Tensor& x) { return plain_activation(activation, x); },
                 at::randn({20, 2 * 37}) * 3);
  }
}

// Every instruction set of this machine gives what the plain one does.
TEST(RowKernels, AgreeAcrossInstructionSets) {
  at::manual_seed(8);
  const std::vector<std::int64_t> row_offsets = {0, 5, 100};
  const kernels::RowAttention shape{.num_heads = 4,
                                    .num_kv_heads = 2,
                                    .head_dim = 12,
                                    .scale = 0.3F,
                                    .window = 30,
                                    .row_offsets = row_offsets};
  const at::Tensor qkv = at::randn({100, 96}), dout = at::randn({100, 48});
  const auto run = [&](kernels::InstructionSet set) {
    at::Tensor out = at::empty({100, 48}), sums = at::empty({100, 4}), dqkv = at::empty({100, 96});
    kernels::attend_rows(shape, qkv.const_data_ptr<float>(), out.mutable_data_ptr<float>(),
                         sums.mutable_data_ptr<float>(), set);
    kernels::attend_rows_backward(shape, qkv.const_data_ptr<float>(), out.const_data_ptr<float>(),
                                  sums.const_data_ptr<float>(), dout.const_data_ptr<float>(),
                                  dqkv.mutable_data_ptr<float>(), set);
    return at::cat({out, dqkv}, 1);
  };
  const at::Tensor expected = run(kernels::InstructionSet::kPlain);
  for (int set = 1; set <= static_cast<int>(kernels::best_instruction_set()); ++set) {
    EXPECT_LT(distance(run(static_cast<kernels::InstructionSet>(set)), expected), 1e-5) << set;
  }
}

}  // namespace
}  // namespace aurum::model

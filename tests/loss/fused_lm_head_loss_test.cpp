// The fused form against its plain twin.

#include "loss/fused_lm_head_loss.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/parallel.h"
#include "loss/chunk_plan.h"
#include "loss/head_products.h"
#include "tests/loss/problem.h"

namespace aurum::loss {
namespace {

LossResult fused(const Problem& p, const LossConfig& config, const WindowCounts& counts,
                 std::int64_t chunk) {
  FusedLmHeadLoss loss;
  return fused(loss, p, config, counts, chunk);
}

void expect_near(const at::Tensor& ours, const at::Tensor& expected, double tolerance) {
  ASSERT_EQ(ours.defined(), expected.defined());
  if (!ours.defined()) return;
  ASSERT_EQ(ours.sizes(), expected.sizes());
  const double largest = expected.abs().max().item<double>();
  EXPECT_LE((ours - expected).abs().max().item<double>(), tolerance * largest + 3e-8);
}

void expect_equal(const LossResult& ours, const LossResult& plain, double tolerance) {
  const auto near = [tolerance](double a, double b) { EXPECT_NEAR(a, b, tolerance * std::abs(b)); };
  near(ours.terms.loss, plain.terms.loss);
  near(ours.terms.distillation, plain.terms.distillation);
  near(ours.terms.cross_entropy, plain.terms.cross_entropy);
  near(ours.terms.matched, plain.terms.matched);
  near(ours.terms.unmatched, plain.terms.unmatched);
  EXPECT_EQ(ours.terms.groups, plain.terms.groups);
  expect_near(ours.gradients.student_hidden, plain.gradients.student_hidden, tolerance);
  expect_near(ours.gradients.student_weight, plain.gradients.student_weight, tolerance);
}

// float32 rounds a product of 2^-24; gradients in two bfloat16 halves round at 2^-17.
double tolerance_of(at::ScalarType dtype) { return dtype == at::kFloat ? 1e-5 : 3e-5; }

void expect_fused_equals_plain(const Problem& p, at::ScalarType dtype) {
  const std::vector<LossConfig> losses = every_loss();
  for (std::size_t i = 0; i < losses.size(); ++i) {
    SCOPED_TRACE(fmt::format("loss {}", i));
    const LossConfig& config = losses[i];
    const WindowCounts counts = count_window(p.rows, config);
    const LossResult expected = plain(p, config, counts);
    EXPECT_GT(expected.terms.loss, 0.0);
    for (const std::int64_t chunk : {1, 2, 5, 100}) {
      SCOPED_TRACE(fmt::format("chunk {}", chunk));
      expect_equal(fused(p, config, counts, chunk), expected, tolerance_of(dtype));
    }
  }
}

TEST(FusedLmHeadLoss, EqualsPlainForEveryLossAndChunkSize) {
  expect_fused_equals_plain(make_problem(at::kFloat), at::kFloat);
}

TEST(FusedLmHeadLoss, EqualsPlainWithBfloat16Heads) {
  expect_fused_equals_plain(make_problem(at::kBFloat16), at::kBFloat16);
}

TEST(FusedLmHeadLoss, EqualsPlainForWideHeadsOfAnySize) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    expect_fused_equals_plain(make_problem(dtype, {.student_vocab = 291,
                                                   .teacher_vocab = 517,
                                                   .student_hidden = 67,
                                                   .teacher_hidden = 32}),
                              dtype);
  }
}

TEST(FusedLmHeadLoss, EqualsPlainFromLogits) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    Problem p = make_problem(dtype);
    for (HeadInput* head : {&p.student, &p.teacher}) {
      head->hidden = at::mm(head->hidden, head->weight.t());
      head->weight = at::Tensor();
    }
    expect_fused_equals_plain(p, at::kFloat);
  }
}

TEST(FusedLmHeadLoss, EqualsPlainWithSoftCaps) {
  Problem p = make_problem(at::kFloat);
  p.student.logit_softcap = 2.0;
  p.teacher.logit_softcap = 3.0;
  expect_fused_equals_plain(p, at::kFloat);
}

TEST(FusedLmHeadLoss, ExpandsAHeadThatComesInRows) {
  Problem p = make_problem(at::kBFloat16);
  const LossConfig config = every_loss()[1];
  const WindowCounts counts = count_window(p.rows, config);
  const LossResult expected = plain(p, config, counts);
  int calls = 0;
  p.teacher.weight_rows = [&, weight = p.teacher.weight](std::int64_t begin, std::int64_t end) {
    ++calls;
    return weight.slice(0, begin, end);
  };
  p.teacher.weight = at::Tensor();
  expect_equal(fused(p, config, counts, 1), expected, tolerance_of(at::kBFloat16));
  EXPECT_LE(calls, 2);  // a look at its type, then all of it, for however many chunks
}

TEST(FusedLmHeadLoss, MicroBatchesAddUpToTheWindow) {
  const Problem p = make_problem(at::kFloat);
  for (const LossConfig& config : every_loss()) {
    const WindowCounts counts = count_window(p.rows, config);
    const LossResult whole = fused(p, config, counts, 4);
    double loss = 0.0;
    const at::Tensor weight = at::zeros_like(whole.gradients.student_weight);
    std::vector<at::Tensor> hidden;
    for (std::size_t i = 0; i < p.rows.size(); ++i) {
      const Problem part = rows_of(p, i, i + 1);
      const LossGradients gradients{.student_hidden = at::zeros(part.student.hidden.sizes()),
                                    .student_weight = weight};
      loss += FusedLmHeadLoss()
                  .compute(part.rows, part.student, part.teacher, part.vocabulary, counts, config,
                           4, gradients)
                  .loss;
      hidden.push_back(gradients.student_hidden);
    }
    EXPECT_NEAR(loss, whole.terms.loss, 1e-6 * whole.terms.loss);
    expect_near(weight, whole.gradients.student_weight, 1e-5);
    expect_near(at::cat(hidden), whole.gradients.student_hidden, 1e-5);
  }
}

TEST(FusedLmHeadLoss, ReusesItsBuffersWithoutTrace) {
  const Problem p = make_problem(at::kFloat);
  FusedLmHeadLoss loss;
  for (int round = 0; round < 2; ++round) {
    for (const LossConfig& config : every_loss()) {
      const WindowCounts counts = count_window(p.rows, config);
      const LossResult again = fused(loss, p, config, counts, 3);
      const LossResult fresh = fused(p, config, counts, 3);
      EXPECT_EQ(again.terms.loss, fresh.terms.loss);
      EXPECT_TRUE(again.gradients.student_weight.equal(fresh.gradients.student_weight));
    }
  }
}

TEST(FusedLmHeadLoss, GivesTheSameBitsOnAnyNumberOfThreads) {
  const Problem p = make_problem(at::kBFloat16, {.student_vocab = 9000, .teacher_vocab = 517});
  if (!HeadProducts(p.student).takes_split_gradient()) GTEST_SKIP() << "libtorch's products here";
  const int threads = num_threads();
  for (const LossConfig& config : every_loss()) {
    const WindowCounts counts = count_window(p.rows, config);
    set_num_threads(1);
    const LossResult one = fused(p, config, counts, 3);
    set_num_threads(2);
    const LossResult two = fused(p, config, counts, 3);
    EXPECT_EQ(one.terms.loss, two.terms.loss);
    EXPECT_TRUE(one.gradients.student_hidden.equal(two.gradients.student_hidden));
    EXPECT_TRUE(one.gradients.student_weight.equal(two.gradients.student_weight));
  }
  set_num_threads(threads);
}

TEST(FusedLmHeadLoss, StaysFiniteForHugeLogits) {
  for (const LossConfig& config : every_loss()) {
    Problem p = make_problem(at::kFloat);
    p.student.hidden = p.student.hidden * 3e3;
    p.teacher.hidden = p.teacher.hidden * 3e3;
    const WindowCounts counts = count_window(p.rows, config);
    expect_equal(fused(p, config, counts, 4), plain(p, config, counts), 1e-4);
  }
}

TEST(FusedLmHeadLoss, GivesTheLossAloneWhenNoGradientIsWanted) {
  const Problem p = make_problem(at::kFloat);
  for (const LossConfig& config : every_loss()) {
    const WindowCounts counts = count_window(p.rows, config);
    const LossTerms terms =
        FusedLmHeadLoss().compute(p.rows, p.student, p.teacher, p.vocabulary, counts, config, 3);
    EXPECT_EQ(terms.loss, fused(p, config, counts, 3).terms.loss);
  }
}

TEST(FusedLmHeadLoss, GivesAFrozenHeadNoGradient) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Problem p = make_problem(dtype);
    for (const LossConfig& config : every_loss()) {
      const WindowCounts counts = count_window(p.rows, config);
      const LossGradients gradients{.student_hidden = at::zeros(p.student.hidden.sizes())};
      FusedLmHeadLoss().compute(p.rows, p.student, p.teacher, p.vocabulary, counts, config, 3,
                                gradients);
      EXPECT_TRUE(
          gradients.student_hidden.equal(fused(p, config, counts, 3).gradients.student_hidden));
    }
  }
}

TEST(ChunkPlan, EndsAChunkByGroupsOrPositions) {
  const Problem p = make_problem(at::kFloat);
  const LossConfig config{.use_uld_loss = true};
  for (const Chunk& chunk : plan_chunks(p.rows, count_window(p.rows, config), config, 2)) {
    EXPECT_LE(chunk.groups.size(), 2u);
    EXPECT_FALSE(chunk.groups.empty());
  }
}

}  // namespace
}  // namespace aurum::loss

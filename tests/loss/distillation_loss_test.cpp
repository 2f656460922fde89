#include "loss/distillation_loss.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/loss/problem.h"

namespace aurum::loss {
namespace {

// Compares every `stride`-th entry of `gradient` with central differences of `value` in `input`.
template <typename Value>
void expect_numeric_gradient(at::Tensor& input, const at::Tensor& gradient, std::int64_t stride,
                             Value value) {
  constexpr double kStep = 1e-6;
  double* entries = input.mutable_data_ptr<double>();
  const at::Tensor dense = gradient.contiguous();
  for (std::int64_t i = 0; i < dense.numel(); i += stride) {
    const double kept = entries[i];
    entries[i] = kept + kStep;
    const double above = value();
    entries[i] = kept - kStep;
    const double below = value();
    entries[i] = kept;
    EXPECT_NEAR(dense.const_data_ptr<double>()[i], (above - below) / (2 * kStep), 1e-6) << i;
  }
}

TEST(DistillationLoss, GradientsAreThoseOfFiniteDifferences) {
  Problem p = make_problem(at::kDouble);
  for (const LossConfig& config : every_loss()) {
    const WindowCounts counts = count_window(p.rows, config);
    const auto value = [&] {
      return plain_loss(p.rows, p.student, p.teacher, p.vocabulary, counts, config, true, false)
          .terms.loss;
    };
    const LossResult result =
        plain_loss(p.rows, p.student, p.teacher, p.vocabulary, counts, config, true);
    expect_numeric_gradient(p.student.hidden, result.gradients.student_hidden, 5, value);
    expect_numeric_gradient(p.student.weight, result.gradients.student_weight, 4, value);
  }
}

TEST(DistillationLoss, MicroBatchesAddUpToTheWindow) {
  const Problem p = make_problem(at::kFloat);
  for (const LossConfig& config : every_loss()) {
    const WindowCounts counts = count_window(p.rows, config);
    const double whole =
        plain_loss(p.rows, p.student, p.teacher, p.vocabulary, counts, config, false).terms.loss;
    double sum = 0.0;
    std::int64_t s = 0, t = 0;
    for (const Row& row : p.rows) {
      const auto s_size = static_cast<std::int64_t>(row.student.ids.size());
      const auto t_size = static_cast<std::int64_t>(row.teacher.ids.size());
      HeadInput student = p.student, teacher = p.teacher;
      student.hidden = p.student.hidden.slice(0, s, s + s_size);
      teacher.hidden = p.teacher.hidden.slice(0, t, t + t_size);
      sum += plain_loss({row}, student, teacher, p.vocabulary, counts, config, false).terms.loss;
      s += s_size;
      t += t_size;
    }
    EXPECT_NEAR(sum, whole, 1e-5 * whole);
  }
}

TEST(DistillationLoss, JsdIsZeroForEqualModels) {
  Problem p = make_problem(at::kFloat);
  const LossConfig config{.beta = 0.5};
  for (Row& row : p.rows) row.teacher = row.student;
  p.vocabulary.student_size = p.vocabulary.teacher_size = p.student.vocab;
  const LossResult result = plain_loss(p.rows, p.student, p.student, p.vocabulary,
                                       count_window(p.rows, config), config, false);
  EXPECT_NEAR(result.terms.loss, 0.0, 1e-6);
  EXPECT_GT(result.terms.groups, 0);
}

TEST(DistillationLoss, UldOfOneGroupIsTheSortedDifference) {
  Problem p = make_problem(at::kDouble);
  p.rows = {{make_side({2}, false, 11), make_side({2}, false, 8)}};
  p.student.weight = at::Tensor();
  p.student.hidden = at::tensor({0.0, std::log(3.0), 9.0, 9.0}, at::kDouble).view({2, 2});
  p.teacher.weight = at::Tensor();
  p.teacher.hidden = at::zeros({2, 1}, at::kDouble);
  p.student.vocab = 2;
  p.teacher.vocab = 1;
  const LossConfig config{.use_uld_loss = true};
  const LossResult result = plain_loss(p.rows, p.student, p.teacher, p.vocabulary,
                                       count_window(p.rows, config), config, true);
  EXPECT_NEAR(result.terms.loss, 0.5, 1e-12);  // |0.75 - 1| + |0.25 - 0|
}

TEST(DistillationLoss, UldIsTheMeanOverRows) {
  const Problem p = make_problem(at::kFloat);
  const LossConfig config{.use_uld_loss = true};
  const Row row = p.rows[0];
  const auto loss_of = [&](const std::vector<Row>& rows) {
    HeadInput student = p.student, teacher = p.teacher;
    const auto copies = static_cast<std::int64_t>(rows.size());
    const auto students = static_cast<std::int64_t>(row.student.ids.size());
    const auto teachers = static_cast<std::int64_t>(row.teacher.ids.size());
    student.hidden = p.student.hidden.slice(0, 0, students).repeat({copies, 1});
    teacher.hidden = p.teacher.hidden.slice(0, 0, teachers).repeat({copies, 1});
    return plain_loss(rows, student, teacher, p.vocabulary, count_window(rows, config), config,
                      false)
        .terms.loss;
  };
  EXPECT_NEAR(loss_of({row, row, row}), loss_of({row}), 1e-6);
}

TEST(DistillationLoss, SequenceLevelIsTheMeanCrossEntropyWhateverTheTeacher) {
  Problem p = make_problem(at::kDouble);
  const at::Tensor log_probs = at::mm(p.student.hidden, p.student.weight.t())
                                   .slice(1, 0, p.vocabulary.student_size)
                                   .log_softmax(1);
  double sum = 0.0;
  std::int64_t count = 0, offset = 0;
  for (Row& row : p.rows) {
    row.teacher = {};
    for (std::size_t i = 1; i < row.student.ids.size(); ++i, ++count) {
      const std::int64_t position = offset + static_cast<std::int64_t>(i) - 1;
      sum -= log_probs[position][row.student.ids[i]].item<double>();
    }
    offset += static_cast<std::int64_t>(row.student.ids.size());
  }
  for (LossConfig config : every_loss()) {
    config.sequence_level = true;
    config.compat_trl = false;
    const LossTerms terms =
        plain_loss(p.rows, p.student, {}, p.vocabulary, count_window(p.rows, config), config, true)
            .terms;
    EXPECT_NEAR(terms.loss, sum / static_cast<double>(count), 1e-12);
    EXPECT_EQ(terms.cross_entropy, terms.loss);
    EXPECT_EQ(terms.distillation, 0.0);
    EXPECT_EQ(terms.groups, 0);
  }
}

TEST(DistillationLoss, JsdMatchesItsFormula) {
  Problem p = make_problem(at::kDouble);
  p.rows = {{make_side({2}, false, 11), make_side({2}, false, 11)}};
  p.student.weight = p.teacher.weight = at::Tensor();
  p.student.hidden = at::tensor({0.0, std::log(3.0), 9.0, 9.0}, at::kDouble).view({2, 2});
  p.teacher.hidden = at::zeros({2, 2}, at::kDouble);
  p.student.vocab = p.teacher.vocab = 2;
  const double student[] = {0.25, 0.75}, teacher[] = {0.5, 0.5};
  for (const double beta : {0.0, 0.3, 1.0}) {
    double expected = 0.0;
    for (int v = 0; v < 2; ++v) {
      const double mixed = beta * teacher[v] + (1.0 - beta) * student[v];
      const double forward = teacher[v] * std::log(teacher[v] / (beta == 0.0 ? student[v] : mixed));
      const double reverse = student[v] * std::log(student[v] / (beta == 1.0 ? teacher[v] : mixed));
      if (beta == 0.0)
        expected += forward;
      else if (beta == 1.0)
        expected += reverse;
      else
        expected += beta * forward + (1.0 - beta) * reverse;
    }
    const LossConfig config{.beta = beta};
    const LossResult result = plain_loss(p.rows, p.student, p.teacher, p.vocabulary,
                                         count_window(p.rows, config), config, true);
    EXPECT_NEAR(result.terms.loss, expected, 1e-12) << beta;
  }
}

}  // namespace
}  // namespace aurum::loss

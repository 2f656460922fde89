#include "loss/bucket_l1.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace aurum::loss {
namespace {

struct Sample {
  std::vector<float> student, teacher;  // padded
  std::vector<std::int32_t> partner;    // of the student's columns
  std::int64_t student_size, teacher_size;
};

// Probabilities exp(spread * normal), every seventh a copy of its neighbour, so that ties happen.
std::vector<float> random_probs(std::mt19937& random, std::int64_t size, float spread) {
  std::normal_distribution<float> normal;
  std::vector<float> probs(static_cast<std::size_t>(padded(size)), 0.0F);
  for (std::int64_t k = 0; k < size; ++k) {
    const auto at = static_cast<std::size_t>(k);
    probs[at] = std::exp(spread * normal(random));
    if (k > 0 && random() % 7 == 0) probs[at] = probs[at - 1];
  }
  const float sum = std::accumulate(probs.begin(), probs.end(), 0.0F);
  for (float& p : probs) p /= sum;
  return probs;
}

Sample make_sample(std::uint32_t seed, float spread) {
  std::mt19937 random(seed);
  Sample sample;
  sample.student_size = 1 + random() % 300;
  sample.teacher_size = 1 + random() % 300;
  sample.student = random_probs(random, sample.student_size, spread);
  sample.teacher = random_probs(random, sample.teacher_size, spread);
  sample.partner.assign(sample.student.size(), -1);
  for (std::int64_t k = 0; k < std::min(sample.student_size, sample.teacher_size); ++k) {
    if (random() % 3 != 0) continue;
    sample.partner[static_cast<std::size_t>(k)] = static_cast<std::int32_t>(k);
    sample.teacher[static_cast<std::size_t>(k)] = 0.0F;
  }
  return sample;
}

struct Expected {
  double value = 0.0, slope = 0.0;
  std::vector<double> weighted;  // sorted: ties may go to either column
};

Expected by_sorting(const Sample& sample, float scale) {
  std::vector<double> p, q;
  std::size_t num_matched = 0;
  for (std::int64_t k = 0; k < sample.student_size; ++k) {
    const auto at = static_cast<std::size_t>(k);
    if (sample.partner[at] < 0) {
      p.push_back(sample.student[at] * scale);
    } else {
      ++num_matched;
    }
  }
  for (std::int64_t k = 0; k < sample.teacher_size; ++k) {
    q.push_back(sample.teacher[static_cast<std::size_t>(k)]);
  }
  std::sort(p.rbegin(), p.rend());
  std::sort(q.rbegin(), q.rend());
  Expected expected;
  const std::size_t num_student = p.size();
  p.resize(std::max(p.size(), q.size()));
  q.resize(p.size());
  for (std::size_t r = 0; r < p.size(); ++r) {
    const double difference = p[r] - q[r];
    expected.value += std::abs(difference);
    if (r >= num_student) continue;
    const double slope = (difference > 0) ? p[r] : (difference < 0 ? -p[r] : 0.0);
    expected.slope += slope;
    expected.weighted.push_back(slope);
  }
  expected.weighted.resize(expected.weighted.size() + num_matched);
  std::sort(expected.weighted.begin(), expected.weighted.end());
  return expected;
}

TEST(BucketL1, EqualsSortingForEverySpread) {
  BucketL1 l1;
  std::uint32_t seed = 0;
  for (const float spread : {0.0F, 0.3F, 2.0F, 6.0F, 12.0F}) {
    for (int i = 0; i < 60; ++i) {
      Sample sample = make_sample(++seed, spread);
      const float scale = i % 2 == 0 ? 1.0F : 0.25F;  // a merged group has less than mass 1
      const Expected expected = by_sorting(sample, scale);
      std::vector<float> weighted(sample.student.size(), 0.0F);
      const ColumnSums sums =
          l1.compute({sample.student.data(), sample.student_size, scale}, sample.partner.data(),
                     {sample.teacher.data(), sample.teacher_size, 1.0F}, 1.0F, weighted.data());
      EXPECT_NEAR(sums.value, expected.value, 1e-6) << seed;
      EXPECT_NEAR(sums.slope, expected.slope, 1e-6) << seed;
      weighted.resize(static_cast<std::size_t>(sample.student_size));
      std::sort(weighted.begin(), weighted.end());
      for (std::size_t k = 0; k < weighted.size(); ++k) {
        ASSERT_NEAR(weighted[k], expected.weighted[k], 1e-7) << seed;
      }
    }
  }
}

// A broken model must not write out of bounds; the trainer reports its loss.
TEST(BucketL1, SurvivesNaN) {
  std::vector<float> student(32, std::nanf("")), teacher(32, -std::nanf(""));
  std::vector<float> weighted(32);
  BucketL1 l1;
  const ColumnSums sums = l1.compute({student.data(), 32, 1.0F}, nullptr,
                                     {teacher.data(), 32, 1.0F}, 1.0F, weighted.data());
  EXPECT_FALSE(sums.value == 0.0);
}

}  // namespace
}  // namespace aurum::loss

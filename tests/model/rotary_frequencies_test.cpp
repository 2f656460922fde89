#include "model/layers/rotary_frequencies.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace aurum::model {
namespace {

using weights::RopeConfig;
using weights::RopeKind;

constexpr std::int64_t kHeadDim = 8, kMaxPositions = 64;

std::vector<float> inverse_of(const RopeConfig& rope) {
  return rotary_frequencies(rope, kHeadDim, kMaxPositions, 1).inverse;
}

double base_frequency(double theta, std::size_t i) {
  return std::pow(theta, -2.0 * static_cast<double>(i) / kHeadDim);
}

TEST(RotaryFrequencies, FallGeometrically) {
  const std::vector<float> inverse = inverse_of({.theta = 10000.0});
  ASSERT_EQ(inverse.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(inverse[i] / base_frequency(10000.0, i), 1.0, 1e-6);
}

TEST(RotaryFrequencies, LinearScalingDividesAll) {
  const std::vector<float> inverse = inverse_of({.kind = RopeKind::kLinear, .theta = 100.0, .factor = 4.0});
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(inverse[i] * 4.0 / base_frequency(100.0, i), 1.0, 1e-6);
}

// Wavelengths 2 pi 100^(i/4): 6.3, 19.9, 62.8, 198.7; kept below 10, divided above 40, a ramp between.
TEST(RotaryFrequencies, Llama3ScalesLongWavelengths) {
  const RopeConfig rope{.kind = RopeKind::kLlama3, .theta = 100.0, .factor = 8.0,
                        .low_freq_factor = 1.0, .high_freq_factor = 4.0,
                        .original_max_position_embeddings = 40};
  const std::vector<float> inverse = inverse_of(rope);
  const double wavelength = 2.0 * std::numbers::pi / base_frequency(100.0, 1);
  const double smooth = (40.0 / wavelength - 1.0) / 3.0;
  EXPECT_NEAR(inverse[0], 1.0, 1e-6);
  EXPECT_NEAR(inverse[1] / base_frequency(100.0, 1), (1.0 - smooth) / 8.0 + smooth, 1e-6);
  EXPECT_NEAR(inverse[2] / base_frequency(100.0, 2), 1.0 / 8.0, 1e-6);
  EXPECT_NEAR(inverse[3] / base_frequency(100.0, 3), 1.0 / 8.0, 1e-6);
}

}  // namespace
}  // namespace aurum::model

#include "model/layers/rotary_frequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace aurum::model {

namespace {

using weights::RopeConfig;
using weights::RopeKind;

std::int64_t original_length(const RopeConfig& rope, std::int64_t max_positions) {
  return rope.original_max_position_embeddings > 0 ? rope.original_max_position_embeddings
                                                   : max_positions;
}

std::vector<float> plain_frequencies(double theta, std::int64_t dim) {
  std::vector<float> inverse(static_cast<std::size_t>(dim / 2));
  for (std::size_t i = 0; i < inverse.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dim);
    inverse[i] = 1.0f / std::pow(static_cast<float>(theta), exponent);
  }
  return inverse;
}

double dynamic_theta(const RopeConfig& rope, std::int64_t dim, std::int64_t max_positions,
                     std::int64_t length) {
  const auto d = static_cast<double>(dim);
  const double ratio =
      static_cast<double>(std::max(length, max_positions)) / static_cast<double>(max_positions);
  return rope.theta * std::pow(rope.factor * ratio - (rope.factor - 1), d / (d - 2));
}

void scale_llama3(const RopeConfig& rope, double original, std::vector<float>& inverse) {
  for (float& f : inverse) {
    const double wavelength = 2 * std::numbers::pi / static_cast<double>(f);
    if (wavelength < original / rope.high_freq_factor) continue;
    double smooth = (original / wavelength - rope.low_freq_factor) /
                    (rope.high_freq_factor - rope.low_freq_factor);
    if (wavelength > original / rope.low_freq_factor) smooth = 0;
    f = static_cast<float>((1 - smooth) * static_cast<double>(f) / rope.factor +
                           smooth * static_cast<double>(f));
  }
}

void scale_yarn(const RopeConfig& rope, std::int64_t dim, double original,
                std::vector<float>& inverse) {
  const auto dim_of = [&](double rotations) {
    return static_cast<double>(dim) * std::log(original / (2 * std::numbers::pi * rotations)) /
           (2 * std::log(rope.theta));
  };
  double low = dim_of(rope.beta_fast), high = dim_of(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(dim - 1));
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < inverse.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    const auto f = static_cast<double>(inverse[i]);
    inverse[i] = static_cast<float>(f * (1 - ramp) + f / rope.factor * ramp);
  }
}

double yarn_scaling(const RopeConfig& rope) {
  if (rope.attention_factor) return *rope.attention_factor;
  const auto scale = [&](double m) {
    return rope.factor <= 1 ? 1.0 : 0.1 * m * std::log(rope.factor) + 1.0;
  };
  if (rope.mscale && rope.mscale_all_dim && *rope.mscale != 0 && *rope.mscale_all_dim != 0) {
    return scale(*rope.mscale) / scale(*rope.mscale_all_dim);
  }
  return scale(1.0);
}

double longrope_scaling(const RopeConfig& rope, double original, std::int64_t max_positions) {
  if (rope.attention_factor) return *rope.attention_factor;
  const double factor =
      rope.factor > 1 ? rope.factor : static_cast<double>(max_positions) / original;
  return factor <= 1 ? 1.0 : std::sqrt(1 + std::log(factor) / std::log(original));
}

void divide(std::vector<float>& inverse, const std::vector<double>& divisors) {
  for (std::size_t i = 0; i < std::min(inverse.size(), divisors.size()); ++i) {
    inverse[i] = static_cast<float>(static_cast<double>(inverse[i]) / divisors[i]);
  }
}

}  // namespace

std::int64_t rotary_key(const RopeConfig& rope, std::int64_t max_positions, std::int64_t length) {
  if (rope.kind == RopeKind::kDynamic) return std::max(length, max_positions);
  if (rope.kind == RopeKind::kLongRope) return length > original_length(rope, max_positions);
  return 0;
}

RotaryFrequencies rotary_frequencies(const RopeConfig& rope, std::int64_t head_dim,
                                     std::int64_t max_positions, std::int64_t length) {
  const auto dim =
      static_cast<std::int64_t>(static_cast<double>(head_dim) * rope.partial_rotary_factor) / 2 * 2;
  const auto original = static_cast<double>(original_length(rope, max_positions));
  const double theta = rope.kind == RopeKind::kDynamic
                           ? dynamic_theta(rope, dim, max_positions, length)
                           : rope.theta;
  RotaryFrequencies result{.inverse = plain_frequencies(theta, dim)};
  switch (rope.kind) {
    case RopeKind::kDefault:
    case RopeKind::kDynamic:
      break;
    case RopeKind::kLinear:
      for (float& f : result.inverse) f /= static_cast<float>(rope.factor);
      break;
    case RopeKind::kLlama3:
      scale_llama3(rope, original, result.inverse);
      break;
    case RopeKind::kYarn:
      scale_yarn(rope, dim, original, result.inverse);
      result.scaling = static_cast<float>(yarn_scaling(rope));
      break;
    case RopeKind::kLongRope:
      divide(result.inverse,
             rotary_key(rope, max_positions, length) ? rope.long_factor : rope.short_factor);
      result.scaling = static_cast<float>(longrope_scaling(rope, original, max_positions));
      break;
  }
  divide(result.inverse, rope.frequency_divisors);
  return result;
}

}  // namespace aurum::model

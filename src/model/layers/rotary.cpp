#include "model/layers/rotary.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "base/error.h"

namespace aurum::model {

namespace {

// Llama 3: long wavelengths are slowed down by `factor`, short ones stay, a ramp lies between.
double scale_llama3(double frequency, const weights::RopeConfig& rope) {
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  const auto original = static_cast<double>(rope.original_max_position_embeddings);
  if (wavelength < original / rope.high_freq_factor) return frequency;
  if (wavelength > original / rope.low_freq_factor) return frequency / rope.factor;
  const double smooth = (original / wavelength - rope.low_freq_factor) /
                        (rope.high_freq_factor - rope.low_freq_factor);
  return (1.0 - smooth) * frequency / rope.factor + smooth * frequency;
}

std::vector<float> inverse_frequencies(const weights::RopeConfig& rope, std::int64_t head_dim) {
  std::vector<float> frequencies(static_cast<std::size_t>(head_dim / 2));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    double f = std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    if (rope.kind == weights::RopeKind::kLinear) f /= rope.factor;
    if (rope.kind == weights::RopeKind::kLlama3) f = scale_llama3(f, rope);
    if (i < rope.frequency_divisors.size()) f /= rope.frequency_divisors[i];
    frequencies[i] = static_cast<float>(f);
  }
  return frequencies;
}

}  // namespace

void check_rope(const weights::RopeConfig& rope) {
  using weights::RopeKind;
  const bool known = rope.kind == RopeKind::kDefault || rope.kind == RopeKind::kLinear ||
                     rope.kind == RopeKind::kLlama3;
  if (!known || rope.partial_rotary_factor != 1.0) {
    throw FormatError(
        "config.json: /rope_scaling: this kind of RoPE cannot be scored or trained yet; supported: "
        "default, linear, llama3 over the whole head");
  }
}

RotaryTable make_rotary_table(const weights::RopeConfig& rope, std::int64_t head_dim,
                              const std::vector<std::int64_t>& row_offsets, at::ScalarType dtype) {
  const std::vector<float> frequencies = inverse_frequencies(rope, head_dim);
  const std::int64_t tokens = row_offsets.back(), half = head_dim / 2;
  at::Tensor angles = at::empty({tokens, 1, head_dim}, at::kFloat);
  float* out = angles.mutable_data_ptr<float>();
  for (std::size_t row = 0; row + 1 < row_offsets.size(); ++row) {
    for (std::int64_t t = row_offsets[row]; t < row_offsets[row + 1]; ++t) {
      const auto position = static_cast<float>(t - row_offsets[row]);
      for (std::int64_t i = 0; i < half; ++i) {
        const float angle = position * frequencies[static_cast<std::size_t>(i)];
        out[t * head_dim + i] = angle;
        out[t * head_dim + half + i] = angle;
      }
    }
  }
  return {.cos = angles.cos().to(dtype), .sin = angles.sin().to(dtype)};
}

at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table) {
  const auto halves = x.chunk(2, -1);
  const at::Tensor rotated = at::cat({-halves[1], halves[0]}, -1);
  return x * table.cos + rotated * table.sin;
}

}  // namespace aurum::model

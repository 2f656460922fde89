#include "model/layers/rotary.h"

#include <ATen/ATen.h>

#include "base/error.h"
#include "model/layers/rotary_frequencies.h"

namespace aurum::model {

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

RotaryTable make_rotary_table(const weights::RopeConfig& rope, const weights::ModelConfig& config,
                              const std::vector<std::int64_t>& row_offsets, at::ScalarType dtype) {
  const std::int64_t head_dim = config.head_dim;
  // The kinds that check_rope admits do not depend on a row's length, and scale by 1.
  const std::vector<float> frequencies =
      rotary_frequencies(rope, head_dim, config.max_position_embeddings, 1).inverse;
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

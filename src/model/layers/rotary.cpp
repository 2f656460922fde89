#include "model/layers/rotary.h"

#include <ATen/ATen.h>

#include "model/layers/rotary_frequencies.h"

namespace aurum::model {

RotaryTable make_rotary_table(const weights::RopeConfig& rope, const weights::ModelConfig& config,
                              const std::vector<std::int64_t>& row_offsets,
                              const at::TensorOptions& options) {
  std::vector<at::Tensor> cos, sin;
  for (std::size_t row = 0; row + 1 < row_offsets.size(); ++row) {
    const std::int64_t length = row_offsets[row + 1] - row_offsets[row];
    const RotaryFrequencies frequencies =
        rotary_frequencies(rope, config.head_dim, config.max_position_embeddings, length);
    const at::Tensor inverse = at::tensor(frequencies.inverse, at::kFloat);
    const at::Tensor angles = at::arange(length, at::kFloat).unsqueeze(1) * inverse;
    cos.push_back(angles.cos() * frequencies.scaling);
    sin.push_back(angles.sin() * frequencies.scaling);
  }
  const auto rounded = [&](const std::vector<at::Tensor>& rows) {
    return at::cat(rows).to(options.dtype().toScalarType()).to(at::kFloat).to(options.device());
  };
  return {.cos = rounded(cos), .sin = rounded(sin)};
}

at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table) {
  const std::int64_t half = table.cos.size(1);
  const at::Tensor cos = table.cos.to(x.scalar_type()).unsqueeze(1);
  const at::Tensor sin = table.sin.to(x.scalar_type()).unsqueeze(1);
  const at::Tensor first = x.slice(-1, 0, half), second = x.slice(-1, half, 2 * half);
  std::vector<at::Tensor> parts = {first * cos - second * sin, second * cos + first * sin};
  if (2 * half < x.size(-1)) parts.push_back(x.slice(-1, 2 * half));
  return at::cat(parts, -1);
}

}  // namespace aurum::model

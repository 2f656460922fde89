#include "weights/gguf_corrections.h"

#include <cstring>

namespace aurum::weights {
namespace {

// Owns what a transformed view points to; what it was made of is not read again.
TensorView owning_view(TensorView view, std::vector<std::byte> bytes) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  view.drop_pages();
  view.bytes = *owner;
  view.keep_alive = owner;
  view.file = nullptr;
  return view;
}

TensorView owning_float_view(TensorView view, const std::vector<float>& values) {
  view.dtype = DType::kFloat32;
  const auto bytes = std::as_bytes(std::span(values));
  return owning_view(std::move(view), {bytes.begin(), bytes.end()});
}

std::vector<float> expanded(const TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.num_values()));
  dequantize_to_float32(view, 0, values);
  return values;
}

// Moves row r of each head to row target(r); blocks lie inside rows, so rows move as they are.
template <typename Target>
TensorView with_rows_moved(TensorView view, std::int64_t num_heads, Target target) {
  const std::int64_t rows = view.shape[0], head_rows = rows / num_heads;
  const std::size_t row_bytes = view.bytes.size() / static_cast<std::size_t>(rows);
  std::vector<std::byte> out(view.bytes.size());
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t in_head = row % head_rows;
    const std::int64_t to = row - in_head + target(in_head, head_rows / 2);
    std::memcpy(out.data() + static_cast<std::size_t>(to) * row_bytes,
                view.bytes.data() + static_cast<std::size_t>(row) * row_bytes, row_bytes);
  }
  return owning_view(std::move(view), std::move(out));
}

// Row h * half + i of a head <-> row 2 i + h, for h = 0, 1.
std::int64_t interleaved(std::int64_t row, std::int64_t half) {
  return 2 * (row % half) + row / half;
}
std::int64_t deinterleaved(std::int64_t row, std::int64_t half) {
  return (row % 2) * half + row / 2;
}

TensorView plus(const TensorView& view, float offset) {
  std::vector<float> values = expanded(view);
  for (float& value : values) value += offset;
  return owning_float_view(view, values);
}

TensorView transposed(TensorView view) {
  const std::vector<float> values = expanded(view);
  const auto rows = static_cast<std::size_t>(view.shape[0]);
  const auto columns = static_cast<std::size_t>(view.shape[1]);
  std::vector<float> out(values.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) out[c * rows + r] = values[r * columns + c];
  }
  std::swap(view.shape[0], view.shape[1]);
  return owning_float_view(std::move(view), out);
}

}  // namespace

Correction correction_of(std::string_view name, std::size_t num_dims, const ModelConfig& config) {
  const bool permuted = config.model_type == "llama" || config.model_type == "mistral" ||
                        config.model_type == "smollm3";
  if (permuted && name.find("self_attn.q_proj.") != name.npos) return Correction::kPermuteQ;
  if (permuted && name.find("self_attn.k_proj.") != name.npos) return Correction::kPermuteK;
  if (config.norm_adds_one && name.ends_with("norm.weight")) return Correction::kOnePlus;
  const bool is_gpt2_matrix = config.layer_norm && num_dims == 2 && name.find(".c_") != name.npos;
  return is_gpt2_matrix ? Correction::kTranspose : Correction::kNone;
}

std::int64_t permuted_heads(Correction correction, const ModelConfig& config) {
  if (correction == Correction::kPermuteQ) return config.num_heads;
  return correction == Correction::kPermuteK ? config.num_kv_heads : 0;
}

TensorView undo_correction(TensorView view, Correction correction, const ModelConfig& config) {
  switch (correction) {
    case Correction::kPermuteQ:
    case Correction::kPermuteK:
      return with_rows_moved(std::move(view), permuted_heads(correction, config), deinterleaved);
    case Correction::kOnePlus:
      return plus(view, -1.0F);
    case Correction::kTranspose:
      return transposed(std::move(view));
    case Correction::kNone:
      break;
  }
  return view;
}

TensorView apply_correction(TensorView view, Correction correction, const ModelConfig& config) {
  switch (correction) {
    case Correction::kPermuteQ:
    case Correction::kPermuteK:
      return with_rows_moved(std::move(view), permuted_heads(correction, config), interleaved);
    case Correction::kOnePlus:
      return plus(view, 1.0F);
    case Correction::kTranspose:
      return transposed(std::move(view));
    case Correction::kNone:
      break;
  }
  return view;
}

}  // namespace aurum::weights

#include "kernels/packed_linear.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/pair_gemm.h"

namespace aurum::kernels {

namespace {

// Rows [begin, end) of the stacked parts, one after another.
void copy_rows(std::span<const WeightMatrix> parts, std::int64_t begin, std::int64_t end,
               BFloat16* to) {
  std::int64_t first = 0;
  for (const WeightMatrix& part : parts) {
    const std::int64_t from = std::max(begin, first), until = std::min(end, first + part.rows);
    if (from < until) {
      const auto* rows = static_cast<const BFloat16*>(part.data) + (from - first) * part.cols;
      to = std::copy_n(rows, (until - from) * part.cols, to);
    }
    first += part.rows;
  }
}

std::vector<float> stacked_bias(std::span<const WeightMatrix> parts) {
  const auto has_bias = [](const WeightMatrix& part) { return part.bias != nullptr; };
  if (std::none_of(parts.begin(), parts.end(), has_bias)) return {};
  std::vector<float> bias;
  for (const WeightMatrix& part : parts) {
    const std::size_t first = bias.size();
    bias.resize(first + static_cast<std::size_t>(part.rows), 0.0f);
    if (part.bias != nullptr) std::copy_n(part.bias, part.rows, bias.data() + first);
  }
  return bias;
}

}  // namespace

bool PackedLinear::can_pack(const WeightMatrix& part) {
  return part.is_bfloat16 && has_pair_gemm();
}

PackedLinear::PackedLinear(std::span<const WeightMatrix> parts)
    : rows_(total_rows(parts)), cols_(parts.front().cols), bias_(stacked_bias(parts)) {
  check_fused(parts);
  AURUM_CHECK(can_pack(parts.front()));
  const std::int64_t panels = panels_of(rows_);
  packed_ = AlignedBuffer<Pair>(static_cast<std::size_t>(panels * pairs_of(cols_) * kPanelColumns));
  parallel_for(panels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t panel = begin; panel < end; ++panel) pack_panel(parts, panel);
  });
}

void PackedLinear::pack_panel(std::span<const WeightMatrix> parts, std::int64_t panel) {
  thread_local std::vector<BFloat16> rows;
  const std::int64_t first = panel * kPanelColumns, pairs = pairs_of(cols_);
  const std::int64_t count = std::min(kPanelColumns, rows_ - first);
  rows.resize(static_cast<std::size_t>(count * cols_));
  copy_rows(parts, first, first + count, rows.data());
  pack_rows_as_columns(rows.data(), cols_, count, cols_, 0, pairs,
                       packed_.data() + panel * pairs * kPanelColumns);
}

void PackedLinear::operator()(const float* input, std::int64_t batch, float* out) const {
  thread_local AlignedBuffer<Pair> rounded;
  pair_gemm({.rows = batch,
             .columns = rows_,
             .depth = cols_,
             .a = rounded_rows_of(input, batch, cols_, rounded),
             .packed = packed_.data(),
             .bias = bias_.empty() ? nullptr : bias_.data(),
             .out = out,
             .out_stride = rows_});
}

}  // namespace aurum::kernels

#include "model/layers/matrix_products.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "base/error.h"
#include "kernels/pair_gemm.h"

namespace aurum::model {

namespace {

const kernels::BFloat16* bits_of(const at::Tensor& tensor) {
  return static_cast<const kernels::BFloat16*>(tensor.const_data_ptr());
}

bool is_bfloat16_on_cpu(const at::Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kBFloat16;
}

// Rows that lie as pairs, dense.
bool has_pairs(const at::Tensor& tensor) { return tensor.size(1) % 2 == 0; }

// a B + bias, with a [rows, depth] and B [depth, columns] in panels.
at::Tensor run_pair_gemm(const kernels::PairRows& a, std::int64_t rows, std::int64_t depth,
                         kernels::PanelSource panels, std::int64_t columns,
                         const at::Tensor& bias) {
  const at::Tensor full_bias = bias.defined() ? bias.to(at::kFloat).contiguous() : at::Tensor();
  at::Tensor out = at::empty({rows, columns}, at::kBFloat16);
  kernels::pair_gemm({.rows = rows,
                      .columns = columns,
                      .depth = depth,
                      .a = a,
                      .panels = std::move(panels),
                      .bias = bias.defined() ? full_bias.const_data_ptr<float>() : nullptr,
                      .rounded_out = static_cast<kernels::BFloat16*>(out.mutable_data_ptr()),
                      .out_stride = columns});
  return out;
}

std::optional<at::Tensor> optional_tensor(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

std::int64_t total_rows(std::span<const weights::TensorView> blocks) {
  std::int64_t rows = 0;
  for (const weights::TensorView& view : blocks) rows += view.shape[0];
  return rows;
}

at::Tensor expand_to_scratch(std::span<const weights::TensorView> blocks, at::ScalarType dtype) {
  thread_local at::Tensor scratch;
  const std::int64_t columns = blocks.front().shape[1], rows = total_rows(blocks);
  const bool fits =
      scratch.defined() && scratch.scalar_type() == dtype && scratch.numel() >= rows * columns;
  if (!fits) scratch = at::empty({rows * columns}, dtype);
  at::Tensor weight = scratch.slice(0, 0, rows * columns).view({rows, columns});
  std::int64_t row = 0;
  for (const weights::TensorView& view : blocks) {
    expand_into(view, 0, weight.slice(0, row, row + view.shape[0]));
    row += view.shape[0];
  }
  return weight;
}

// Expands columns [begin, end) of stacked rows [first, first + count).
void expand_rows_to(std::span<const weights::TensorView> blocks, std::int64_t first,
                    std::int64_t count, std::int64_t begin, std::int64_t end,
                    kernels::BFloat16* to) {
  for (const weights::TensorView& view : blocks) {
    const std::int64_t rows = view.shape[0], columns = view.shape[1];
    for (; count > 0 && first < rows; ++first, --count, to += end - begin) {
      weights::dequantize_to_bfloat16(view, first * columns + begin,
                                      std::span(to, static_cast<std::size_t>(end - begin)));
    }
    first -= rows;
  }
}

// Panels are blocks of pair_gemm: whole blocks of every file format, but for the end of a row.
kernels::PanelSource expanding_panels(std::span<const weights::TensorView> blocks) {
  const std::int64_t columns = blocks.front().shape[1], rows = total_rows(blocks);
  const auto pack = [=](std::int64_t panel, std::int64_t first_pair, std::int64_t last_pair,
                        kernels::Pair* to) {
    thread_local std::vector<kernels::BFloat16> values;
    const std::int64_t first = panel * kernels::kPanelColumns;
    const std::int64_t count = std::min(kernels::kPanelColumns, rows - first);
    const std::int64_t begin = 2 * first_pair, end = std::min(columns, 2 * last_pair);
    values.resize(static_cast<std::size_t>(count * (end - begin)));
    expand_rows_to(blocks, first, count, begin, end, values.data());
    kernels::pack_rows_as_columns(values.data(), end - begin, count, end - begin, 0,
                                  last_pair - first_pair, to);
  };
  return {pack, nullptr};
}

}  // namespace

void expand_into(const weights::TensorView& view, std::int64_t first, at::Tensor out) {
  AURUM_CHECK(out.is_contiguous());
  const auto size = static_cast<std::size_t>(out.numel());
  if (out.scalar_type() == at::kFloat) {
    weights::dequantize_in_parallel(view, first, std::span(out.mutable_data_ptr<float>(), size));
  } else {
    auto* data = static_cast<std::uint16_t*>(out.mutable_data_ptr());
    weights::dequantize_in_parallel(view, first, std::span(data, size));
  }
}

at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!kernels::prefers_pair_gemm() || !is_bfloat16_on_cpu(x) || !has_pairs(x) ||
      !weight.is_contiguous()) {
    return at::linear(x, weight, optional_tensor(bias));
  }
  const at::Tensor rows = x.contiguous();
  const std::int64_t in = x.size(1), out = weight.size(0);
  return run_pair_gemm(kernels::rows_of(bits_of(rows), in), x.size(0), in,
                       kernels::rows_as_columns(bits_of(weight), out, in), out, bias);
}

at::Tensor linear_product(const at::Tensor& x, std::span<const weights::TensorView> blocks,
                          const at::Tensor& bias) {
  if (!kernels::prefers_pair_gemm() || !is_bfloat16_on_cpu(x) || !has_pairs(x)) {
    return at::linear(x, expand_to_scratch(blocks, x.scalar_type()).to(x.device()),
                      optional_tensor(bias));
  }
  const at::Tensor rows = x.contiguous();
  return run_pair_gemm(kernels::rows_of(bits_of(rows), x.size(1)), x.size(0), x.size(1),
                       expanding_panels(blocks), total_rows(blocks), bias);
}

at::Tensor input_gradient(const at::Tensor& dy, const at::Tensor& weight) {
  if (!kernels::prefers_pair_gemm() || !is_bfloat16_on_cpu(dy) || !has_pairs(dy) ||
      !weight.is_contiguous()) {
    return dy.mm(weight);
  }
  const at::Tensor rows = dy.contiguous();
  const std::int64_t out = weight.size(0), in = weight.size(1);
  return run_pair_gemm(kernels::rows_of(bits_of(rows), out), dy.size(0), out,
                       kernels::columns_of(bits_of(weight), out, in), in, {});
}

at::Tensor input_gradient(const at::Tensor& dy, std::span<const weights::TensorView> blocks) {
  return input_gradient(dy, expand_to_scratch(blocks, dy.scalar_type()).to(dy.device()));
}

at::Tensor weight_gradient(const at::Tensor& dy, const at::Tensor& x) {
  if (!kernels::prefers_pair_gemm() || !is_bfloat16_on_cpu(dy)) return dy.t().mm(x);
  thread_local AlignedBuffer<kernels::Pair> transposed;
  const at::Tensor rows = dy.contiguous(), columns = x.contiguous();
  const std::int64_t tokens = dy.size(0), out = dy.size(1), in = x.size(1);
  return run_pair_gemm(kernels::transposed_rows_of(bits_of(rows), tokens, out, transposed), out,
                       tokens, kernels::columns_of(bits_of(columns), tokens, in), in, {});
}

}  // namespace aurum::model

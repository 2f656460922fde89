#include "loss/head_products.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "kernels/pair_gemm.h"
#include "loss/row_kernels.h"

namespace aurum::loss {

namespace {

constexpr std::int64_t kHeadTile = 8192;  // head rows converted at a time
// Columns of logits whose gradients stay in the cache for both products: 1.5 MB of 96 positions.
constexpr std::int64_t kGradientTile = 4096;
constexpr std::int64_t kMostExpandedBytes = std::int64_t{1} << 30;

const kernels::BFloat16* bits(const at::Tensor& tensor) {
  return static_cast<const kernels::BFloat16*>(tensor.const_data_ptr());
}

// Rows of floats that are `stride` apart, as a tensor [rows, cols].
at::Tensor view_rows(float* data, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  return at::from_blob(data, {rows, cols}, {stride, 1}, at::kFloat);
}

// out [rows of x, rows of weight] = x weight^T.
void multiply(const at::Tensor& x, const at::Tensor& weight, float* out, std::int64_t out_stride) {
  const std::int64_t depth = x.size(1), columns = weight.size(0);
  const at::Tensor rows = depth % 2 == 0 ? x : at::constant_pad_nd(x, {0, 1});
  kernels::pair_gemm({.rows = x.size(0),
                      .columns = columns,
                      .depth = depth,
                      .a = kernels::rows_of(bits(rows), rows.size(1)),
                      .panels = kernels::rows_as_columns(bits(weight), columns, depth),
                      .out = out,
                      .out_stride = out_stride});
}

// out [rows of pairs, columns of b] += (high + low) b.
void add_split_product(const kernels::PairRows& pairs, std::int64_t rows, const at::Tensor& b,
                       float* out) {
  const std::int64_t columns = b.size(1);
  kernels::pair_gemm({.rows = rows,
                      .columns = columns,
                      .depth = 2 * b.size(0),
                      .a = pairs,
                      .panels = kernels::doubled_rows_of(bits(b), columns),
                      .adds_to_out = true,
                      .out = out,
                      .out_stride = columns});
}

template <typename Body>
void for_tiles(std::int64_t size, std::int64_t tile, Body body) {
  for (std::int64_t begin = 0; begin < size; begin += tile) {
    body(begin, std::min(size, begin + tile));
  }
}

}  // namespace

HeadProducts::HeadProducts(const HeadInput& head)
    : head_(head), has_head_(head.weight.defined() || head.weight_rows != nullptr) {
  if (!has_head_) return;
  const at::ScalarType type = weight_rows(0, std::min<std::int64_t>(1, head.vocab)).scalar_type();
  is_bf16_ = kernels::has_pair_gemm() && type == at::kBFloat16 &&
             head.hidden.scalar_type() == at::kBFloat16;
}

// An odd number of cache lines' pairs: columns of a gradient spread over all sets of a cache.
std::int64_t HeadProducts::stride() const {
  return (padded(head_.vocab) / kRowPadding | 1) * kRowPadding;
}

at::Tensor HeadProducts::weight_rows(std::int64_t begin, std::int64_t end) {
  if (head_.weight.defined()) return head_.weight.slice(0, begin, end).contiguous();
  if (expanded_.defined()) return expanded_.slice(0, begin, end);
  return head_.weight_rows(begin, end).contiguous();
}

void HeadProducts::logits(const at::Tensor& positions, float* logits) {
  const at::Tensor hidden = head_.hidden.index_select(0, positions);
  const std::int64_t rows = hidden.size(0);
  if (!has_head_) {
    view_rows(logits, rows, vocab(), stride()).copy_(hidden);
    return;
  }
  const std::int64_t bytes = vocab() * hidden.size(1) * 2;
  if (head_.weight_rows && !expanded_.defined() && bytes <= kMostExpandedBytes) {
    expanded_ = head_.weight_rows(0, vocab()).contiguous();  // a view where nothing is quantized
  }
  if (!is_bf16_) {
    const at::Tensor x = hidden.to(at::kFloat);
    for_tiles(vocab(), kHeadTile, [&](std::int64_t begin, std::int64_t end) {
      at::Tensor out = view_rows(logits + begin, rows, end - begin, stride());
      at::mm_out(out, x, weight_rows(begin, end).to(at::kFloat).t());
    });
    return;
  }
  const std::int64_t tile = head_.weight.defined() || expanded_.defined() ? vocab() : kHeadTile;
  for_tiles(vocab(), tile, [&](std::int64_t begin, std::int64_t end) {
    multiply(hidden, weight_rows(begin, end), logits + begin, stride());
  });
}

void HeadProducts::add_gradient(const at::Tensor& positions, float* gradient,
                                const LossGradients& gradients) {
  const std::int64_t rows = positions.numel();
  if (!has_head_) {
    gradients.student_hidden.index_add_(0, positions, view_rows(gradient, rows, vocab(), stride()));
    return;
  }
  const at::Tensor hidden = head_.hidden.index_select(0, positions);
  at::Tensor part = at::zeros({rows, hidden.size(1)}, at::kFloat);
  if (is_bf16_) {
    add_split_gradient(hidden, reinterpret_cast<const kernels::Pair*>(gradient), part,
                       gradients.student_weight);
  } else {
    add_float_gradient(hidden.to(at::kFloat), view_rows(gradient, rows, vocab(), stride()), part,
                       gradients.student_weight);
  }
  gradients.student_hidden.index_add_(0, positions, part);
}

void HeadProducts::add_split_gradient(const at::Tensor& hidden, const kernels::Pair* gradient,
                                      const at::Tensor& hidden_part,
                                      const at::Tensor& weight_gradient) {
  const std::int64_t rows = hidden.size(0), columns = hidden.size(1);
  for_tiles(vocab(), kGradientTile, [&](std::int64_t begin, std::int64_t end) {
    const kernels::PairRows by_position{
        .data = gradient + begin, .row_stride = stride(), .pair_stride = 1, .block_rows = rows};
    add_split_product(by_position, rows, weight_rows(begin, end),
                      hidden_part.mutable_data_ptr<float>());
    if (!weight_gradient.defined()) return;
    const kernels::PairRows by_column{.data = gradient + begin,
                                      .row_stride = 1,
                                      .pair_stride = stride(),
                                      .block_rows = end - begin};
    add_split_product(by_column, end - begin, hidden,
                      weight_gradient.mutable_data_ptr<float>() + begin * columns);
  });
}

void HeadProducts::add_float_gradient(const at::Tensor& hidden, const at::Tensor& gradient,
                                      const at::Tensor& hidden_part,
                                      const at::Tensor& weight_gradient) {
  for_tiles(vocab(), kHeadTile, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor tile = gradient.slice(1, begin, end);
    hidden_part.addmm_(tile, weight_rows(begin, end).to(at::kFloat));
    if (weight_gradient.defined()) weight_gradient.slice(0, begin, end).addmm_(tile.t(), hidden);
  });
}

}  // namespace aurum::loss

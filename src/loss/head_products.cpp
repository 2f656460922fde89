#include "loss/head_products.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "loss/bf16_products.h"
#include "loss/row_kernels.h"

namespace aurum::loss {

namespace {

constexpr std::int64_t kHeadTile = 8192;  // head rows converted at a time
constexpr std::int64_t kMostExpandedBytes = std::int64_t{1} << 30;

const Bits16* bits(const at::Tensor& tensor) {
  return static_cast<const Bits16*>(tensor.const_data_ptr());
}

// Rows of floats that are `stride` apart, as a tensor [rows, cols].
at::Tensor view_rows(float* data, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  return at::from_blob(data, {rows, cols}, {stride, 1}, at::kFloat);
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
  is_bf16_ =
      has_bf16_products() && type == at::kBFloat16 && head.hidden.scalar_type() == at::kBFloat16;
}

std::int64_t HeadProducts::stride() const { return padded(head_.vocab); }

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
    const at::Tensor weight = weight_rows(begin, end);
    multiply_by_head(bits(hidden), rows, {bits(weight), end - begin, hidden.size(1)},
                     logits + begin, stride());
  });
}

void HeadProducts::add_gradient(const at::Tensor& positions, float* gradient,
                                LossGradients& gradients) {
  const std::int64_t rows = positions.numel();
  if (!has_head_) {
    gradients.student_hidden.index_add_(0, positions, view_rows(gradient, rows, vocab(), stride()));
    return;
  }
  const at::Tensor hidden = head_.hidden.index_select(0, positions);
  at::Tensor part = at::empty({rows, hidden.size(1)}, at::kFloat);
  at::Tensor& weight_gradient = gradients.student_weight;
  if (is_bf16_) {
    const SplitMatrix split{reinterpret_cast<const Bits16*>(gradient), rows, vocab(), stride()};
    const at::Tensor weight = weight_rows(0, vocab());
    gradient_to_hidden(split, {bits(weight), vocab(), hidden.size(1)},
                       part.mutable_data_ptr<float>());
    add_gradient_to_head(split, bits(hidden), hidden.size(1),
                         weight_gradient.mutable_data_ptr<float>());
  } else {
    add_float_gradient(hidden.to(at::kFloat), view_rows(gradient, rows, vocab(), stride()), part,
                       weight_gradient);
  }
  gradients.student_hidden.index_add_(0, positions, part);
}

void HeadProducts::add_float_gradient(const at::Tensor& hidden, const at::Tensor& gradient,
                                      at::Tensor& hidden_part, at::Tensor& weight_gradient) {
  hidden_part.zero_();
  for_tiles(vocab(), kHeadTile, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor tile = gradient.slice(1, begin, end);
    hidden_part.addmm_(tile, weight_rows(begin, end).to(at::kFloat));
    weight_gradient.slice(0, begin, end).addmm_(tile.t(), hidden);
  });
}

}  // namespace aurum::loss

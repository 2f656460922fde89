#pragma once

#include <cstdint>

namespace aurum::loss {

// Products with a bfloat16 head that keep float32 sums, by the AVX-512 BF16 dot product. libtorch's
// own bfloat16 product rounds its result to bfloat16, an error of 2^-9 in every logit.
//
// A gradient is held as two bfloat16 halves, value = high + low, which leaves 2^-17: row n of a
// SplitMatrix has `stride` high parts, then `stride` low ones. `stride` is a multiple of 32, and
// the columns from `cols` on are zero.
using Bits16 = std::uint16_t;

struct SplitMatrix {
  const Bits16* data;  // [rows, 2, stride]
  std::int64_t rows, cols, stride;
};

struct HeadMatrix {
  const Bits16* data;  // [vocab, hidden] bfloat16
  std::int64_t vocab, hidden;
};

// True on processors that have the instruction; the functions below need it.
bool has_bf16_products();

// out[n, v] = sum_h x[n, h] head[v, h] for x [rows, hidden]; rows of `out` are `out_stride` apart.
void multiply_by_head(const Bits16* x, std::int64_t rows, const HeadMatrix& head, float* out,
                      std::int64_t out_stride);

// out[n, h] = sum_v gradient[n, v] head[v, h]; out [gradient.rows, hidden].
void gradient_to_hidden(const SplitMatrix& gradient, const HeadMatrix& head, float* out);

// head_gradient[v, h] += sum_n gradient[n, v] x[n, h]; head_gradient [gradient.cols, hidden].
void add_gradient_to_head(const SplitMatrix& gradient, const Bits16* x, std::int64_t hidden,
                          float* head_gradient);

}  // namespace aurum::loss

#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "kernels/pair_packing.h"
#include "loss/distillation_loss.h"

namespace aurum::loss {

// The matrix products of one side's head with some of its positions, with float32 sums: by the
// AVX-512 BF16 kernel where hidden states and head are bfloat16 and the processor has it, else by
// libtorch in float32, a tile of the head at a time. Without a head, `hidden` holds the logits.
// A head in quantized blocks is expanded once, when it first is needed, if that takes less than
// 1 GiB, else tile by tile.
class HeadProducts {
 public:
  explicit HeadProducts(const HeadInput& head);

  std::int64_t vocab() const { return head_.vocab; }
  std::int64_t stride() const;  // floats per row of logits
  // True when gradients are taken as pairs of bfloat16 in the place of the floats, whose sum is the
  // value (split_into_pairs).
  bool takes_split_gradient() const { return is_bf16_; }

  // logits [positions, stride] float32; columns from `vocab` on are left as they are.
  void logits(const at::Tensor& positions, float* logits);

  // Adds the gradient [positions, stride] of those logits to the gradients of hidden states (or
  // logits, without a head) and, if that is defined, of the head.
  void add_gradient(const at::Tensor& positions, float* gradient, const LossGradients& gradients);

 private:
  at::Tensor weight_rows(std::int64_t begin, std::int64_t end);
  void add_split_gradient(const at::Tensor& hidden, const kernels::Pair* gradient,
                          const at::Tensor& hidden_part, const at::Tensor& weight_gradient);
  void add_float_gradient(const at::Tensor& hidden, const at::Tensor& gradient,
                          const at::Tensor& hidden_part, const at::Tensor& weight_gradient);

  const HeadInput& head_;
  bool has_head_ = false, is_bf16_ = false;
  at::Tensor expanded_;  // the whole head, once it is expanded
};

}  // namespace aurum::loss

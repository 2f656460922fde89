#pragma once

#include <memory>
#include <vector>

#include "loss/distillation_loss.h"

namespace aurum::loss {

struct FusedScratch;

// The losses of distillation_loss.h from hidden states, chunk by chunk of aligned groups: logits of
// positions x vocabulary never exist at once, and no autograd graph does. Values and gradients are
// those of `plain_loss` in float32, to rounding.
//
// Per chunk: the head products of both sides into two buffers; one pass per row for the softmax, in
// place; one pass per group for the merge, the divergence, the sorted L1 (bucket_l1.h) and the
// gradient, which replaces the student's logits; the products that take it to the hidden states and
// into the head's gradient. The buffers live as long as this object, so keep it for a whole run.
// Not thread-safe; uses all threads itself. The result does not depend on their number, but for the
// rounding of libtorch's products where the heads are float32.
class FusedLmHeadLoss {
 public:
  FusedLmHeadLoss();
  ~FusedLmHeadLoss();

  // A chunk ends after `groups_per_chunk` groups, or when either side has as many positions. Adds
  // to the tensors of `gradients`, contiguous float32; without `student_hidden`, to none.
  LossTerms compute(const std::vector<Row>& rows, const HeadInput& student,
                    const HeadInput& teacher, const VocabularyPair& vocabulary,
                    const WindowCounts& counts, const LossConfig& config,
                    std::int64_t groups_per_chunk, const LossGradients& gradients = {});

 private:
  std::unique_ptr<FusedScratch> scratch_;
};

}  // namespace aurum::loss

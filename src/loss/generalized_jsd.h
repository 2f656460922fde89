#pragma once

#include <ATen/core/Tensor.h>

namespace aurum::loss {

// Sums the generalized Jensen-Shannon divergence of rows of distributions over the same columns.
//   student_log_probs, teacher_log_probs  [rows, columns], gradient flows to the student's
// Stays finite for logits of +-1e4: the mixture is taken in the log domain.
at::Tensor generalized_jsd(const at::Tensor& student_log_probs, const at::Tensor& teacher_log_probs,
                           double beta);

// The same formula on unnormalised probabilities, each at least 1e-8: below that floor a
// probability counts as the floor and gets no gradient.
at::Tensor generalized_jsd_of_probs(const at::Tensor& student_probs,
                                    const at::Tensor& teacher_probs, double beta);

}  // namespace aurum::loss

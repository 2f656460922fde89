// Hybrid ULD: w_m JSD on the columns that stand for the same token + w_u sorted L1 on the others.

#include "loss/hybrid_uld.h"

#include <ATen/ATen.h>

#include "loss/generalized_jsd.h"
#include "loss/uld.h"

namespace aurum::loss {

namespace {

at::Tensor take_columns(const at::Tensor& probs, const std::vector<std::int64_t>& columns) {
  return probs.index_select(1, at::tensor(columns, at::kLong));
}

}  // namespace

HybridParts hybrid_uld(const at::Tensor& student, const at::Tensor& teacher,
                       const MatchedColumns& columns, bool compare_rest, double beta) {
  HybridParts parts{at::zeros({}, student.options()), at::zeros({}, student.options())};
  if (!columns.student.empty()) {
    parts.matched = generalized_jsd_of_probs(take_columns(student, columns.student),
                                             take_columns(teacher, columns.teacher), beta);
  }
  if (compare_rest) {
    parts.unmatched =
        sorted_l1(take_columns(student, other_columns(columns.student, student.size(1))),
                  take_columns(teacher, other_columns(columns.teacher, teacher.size(1))));
  }
  return parts;
}

}  // namespace aurum::loss

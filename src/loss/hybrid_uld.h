#pragma once

#include <ATen/core/Tensor.h>

#include "loss/matched_columns.h"

namespace aurum::loss {

// Both parts of the hybrid loss, unweighted sums over groups; gradient flows to the student's.
//   student [groups, student width], teacher [groups, teacher width]: merged probabilities
struct HybridParts {
  at::Tensor matched, unmatched;
};
HybridParts hybrid_uld(const at::Tensor& student, const at::Tensor& teacher,
                       const MatchedColumns& columns, bool compare_rest, double beta);

}  // namespace aurum::loss

#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "loss/row_groups.h"

namespace aurum::loss {

// The merged, unnormalised distribution of each group: [groups, columns].
//   probs [positions, columns] of all positions of the row
at::Tensor merged_probs(const at::Tensor& probs, const std::vector<const GroupSide*>& sides);

}  // namespace aurum::loss

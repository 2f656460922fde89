#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "loss/distillation_loss.h"

namespace aurum::loss {

// One side of an aligned group: the position whose logits give its distribution, and the
// (position, token id) pairs whose probabilities multiply it.
struct GroupSide {
  std::int64_t base = 0;
  std::vector<std::pair<std::int64_t, std::int32_t>> factors;
};

struct Group {
  GroupSide student, teacher;
};

// The groups of a row that count, end of turn included, in order.
std::vector<Group> groups_of_row(const Row& row, const LossConfig& config);

// (predicting position, token id) of every completion token that has a predictor.
std::vector<std::pair<std::int64_t, std::int32_t>> predicted_tokens(const RowSide& side);

}  // namespace aurum::loss

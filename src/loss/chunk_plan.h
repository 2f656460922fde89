#pragma once

#include <cstdint>
#include <vector>

#include "loss/distillation_loss.h"

namespace aurum::loss {

// A probability that multiplies a group's distribution: of `id`, on a row of the chunk.
struct PlannedFactor {
  std::int32_t row = 0;
  std::int32_t id = 0;
};

struct PlannedSide {
  std::int32_t base = 0;  // the row that gives the distribution
  std::vector<PlannedFactor> factors;
};

struct PlannedGroup {
  PlannedSide student, teacher;
  double share = 0.0;  // of the group in the window's distillation loss
};

constexpr std::int32_t kNoId = -1;

// Some groups, and the positions whose logits they read; a position belongs to one group only.
// Positions count through all rows laid end to end.
struct Chunk {
  std::vector<std::int64_t> student_positions, teacher_positions;
  std::vector<std::int32_t> entropy_ids;  // [student_positions] id whose cross entropy is due
  std::vector<PlannedGroup> groups;
};

// Covers all groups (pairs of positions, for JSD on a shared vocabulary) and all cross-entropy
// tokens. These share a group's logits where the student's temperature is 1; chunks without groups
// hold the others.
std::vector<Chunk> plan_chunks(const std::vector<Row>& rows, const WindowCounts& counts,
                               const LossConfig& config, std::int64_t groups_per_chunk);

}  // namespace aurum::loss

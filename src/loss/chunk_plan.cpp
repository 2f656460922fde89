#include "loss/chunk_plan.h"

#include <algorithm>

#include "loss/row_groups.h"

namespace aurum::loss {

namespace {

class Planner {
 public:
  Planner(const LossConfig& config, std::int64_t groups_per_chunk)
      : config_(config), limit_(static_cast<std::size_t>(groups_per_chunk)) {}

  void add_row(const Row& row, const WindowCounts& counts) {
    if (entropy_weight(config_) > 0.0) {
      entropy_ids_.resize(static_cast<std::size_t>(student_offset_) + row.student.ids.size(),
                          kNoId);
      for (const auto& [position, id] : predicted_tokens(row.student)) {
        entropy_ids_[static_cast<std::size_t>(student_offset_ + position)] = id;
      }
    }
    const std::vector<Group> groups = groups_to_compare(row);
    const double window = static_cast<double>(
        config_.use_uld_loss ? static_cast<std::int64_t>(groups.size()) * counts.rows
                             : std::max<std::int64_t>(1, counts.jsd_positions));
    for (const Group& group : groups) add_group(group, 1.0 / window);
    student_offset_ += static_cast<std::int64_t>(row.student.ids.size());
    teacher_offset_ += static_cast<std::int64_t>(row.teacher.ids.size());
  }

  std::vector<Chunk> finish() {
    close();
    for (std::size_t position = 0; position < entropy_ids_.size(); ++position) {
      if (entropy_ids_[position] == kNoId) continue;
      current_.student_positions.push_back(static_cast<std::int64_t>(position));
      current_.entropy_ids.push_back(entropy_ids_[position]);
      if (current_.student_positions.size() >= limit_) close();
    }
    close();
    return std::move(chunks_);
  }

 private:
  std::vector<Group> groups_to_compare(const Row& row) const {
    if (config_.sequence_level) return {};
    return config_.use_uld_loss ? groups_of_row(row, config_) : pairs_of_row(row);
  }

  static std::vector<Group> pairs_of_row(const Row& row) {
    const auto student = predicted_tokens(row.student), teacher = predicted_tokens(row.teacher);
    std::vector<Group> groups(std::min(student.size(), teacher.size()));
    for (std::size_t i = 0; i < groups.size(); ++i) {
      groups[i].student.base = student[i].first;
      groups[i].teacher.base = teacher[i].first;
    }
    return groups;
  }

  void add_group(const Group& group, double share) {
    PlannedGroup planned{.share = share};
    planned.student = plan_side(group.student, [this](std::int64_t p) { return student_row(p); });
    planned.teacher = plan_side(group.teacher, [this](std::int64_t p) { return teacher_row(p); });
    current_.groups.push_back(std::move(planned));
    const std::size_t most = std::max({current_.groups.size(), current_.student_positions.size(),
                                       current_.teacher_positions.size()});
    if (most >= limit_) close();
  }

  template <typename RowOf>
  static PlannedSide plan_side(const GroupSide& side, RowOf row_of) {
    PlannedSide planned{.base = row_of(side.base)};
    for (const auto& [position, id] : side.factors)
      planned.factors.push_back({row_of(position), id});
    return planned;
  }

  std::int32_t student_row(std::int64_t position) {
    const std::int64_t at = student_offset_ + position;
    std::int32_t entropy_id = kNoId;
    if (!entropy_ids_.empty() && config_.student_temperature == 1.0) {
      std::swap(entropy_id, entropy_ids_[static_cast<std::size_t>(at)]);
    }
    current_.student_positions.push_back(at);
    current_.entropy_ids.push_back(entropy_id);
    return static_cast<std::int32_t>(current_.student_positions.size()) - 1;
  }

  std::int32_t teacher_row(std::int64_t position) {
    current_.teacher_positions.push_back(teacher_offset_ + position);
    return static_cast<std::int32_t>(current_.teacher_positions.size()) - 1;
  }

  void close() {
    if (!current_.student_positions.empty()) chunks_.push_back(std::move(current_));
    current_ = {};
  }

  const LossConfig& config_;
  std::size_t limit_;
  std::int64_t student_offset_ = 0, teacher_offset_ = 0;
  std::vector<std::int32_t> entropy_ids_;  // by student position; kNoId where nothing is due
  Chunk current_;
  std::vector<Chunk> chunks_;
};

}  // namespace

std::vector<Chunk> plan_chunks(const std::vector<Row>& rows, const WindowCounts& counts,
                               const LossConfig& config, std::int64_t groups_per_chunk) {
  Planner planner(config, std::max<std::int64_t>(1, groups_per_chunk));
  for (const Row& row : rows) planner.add_row(row, counts);
  return planner.finish();
}

}  // namespace aurum::loss

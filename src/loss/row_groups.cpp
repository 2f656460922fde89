#include "loss/row_groups.h"

#include <algorithm>

#include "base/error.h"

namespace aurum::loss {

namespace {

// Positions of a side's completion tokens; the closing end of turn is kept apart.
struct Completion {
  std::vector<std::int64_t> content;
  std::vector<text::ByteSpan> spans;
  std::optional<std::int64_t> eos;
};

Completion completion_of(const RowSide& side, bool eos_is_content) {
  Completion completion;
  for (std::size_t i = 0; i < side.ids.size(); ++i) {
    if (!side.is_completion[i]) continue;
    completion.content.push_back(static_cast<std::int64_t>(i));
    completion.spans.push_back(side.spans[i]);
  }
  if (side.ends_with_eos && !eos_is_content && !completion.content.empty()) {
    completion.eos = completion.content.back();
    completion.content.pop_back();
    completion.spans.pop_back();
  }
  return completion;
}

void drop_last(Completion& completion) {
  if (completion.content.empty()) return;
  completion.content.pop_back();
  completion.spans.pop_back();
}

// Bayesian: p_j = softmax(z[j - 1]), the last token's distribution times the others' probabilities.
// Observed: r_j = softmax(z[j]), the first token's row times the later rows' probabilities.
GroupSide make_side(const RowSide& side, const std::vector<std::int64_t>& positions,
                    MergeStrategy merge) {
  GroupSide group;
  if (merge == MergeStrategy::kBayesian) {
    group.base = positions.back() - 1;
    for (std::size_t j = 0; j + 1 < positions.size(); ++j) {
      group.factors.emplace_back(positions[j] - 1,
                                 side.ids[static_cast<std::size_t>(positions[j])]);
    }
  } else {
    group.base = positions.front();
    for (std::size_t j = 1; j < positions.size(); ++j) {
      group.factors.emplace_back(positions[j], side.ids[static_cast<std::size_t>(positions[j])]);
    }
  }
  return group;
}

class GroupList {
 public:
  GroupList(const Row& row, MergeStrategy merge) : row_(row), merge_(merge) {}

  void add(const std::vector<std::int64_t>& student, const std::vector<std::int64_t>& teacher) {
    // The first position of a sequence has no predictor; its whole group is dropped.
    const bool has_predictors = student.front() > 0 && teacher.front() > 0;
    if (merge_ == MergeStrategy::kBayesian && !has_predictors) return;
    groups.push_back(
        {make_side(row_.student, student, merge_), make_side(row_.teacher, teacher, merge_)});
  }

  std::vector<Group> groups;

 private:
  const Row& row_;
  MergeStrategy merge_;
};

}  // namespace

std::vector<Group> groups_of_row(const Row& row, const LossConfig& config) {
  Completion student = completion_of(row.student, config.compat_trl);
  Completion teacher = completion_of(row.teacher, config.compat_trl);
  if (config.compat_trl) {
    // TRL's "skip" drops the last token, whatever it is.
    if (config.skip_student_eos) drop_last(student);
    if (config.skip_teacher_eos) drop_last(teacher);
  }
  GroupList list(row, config.merge);
  if (!config.use_extended_uld) {
    auto student_all = student.content, teacher_all = teacher.content;
    if (student.eos && !config.skip_student_eos) student_all.push_back(*student.eos);
    if (teacher.eos && !config.skip_teacher_eos) teacher_all.push_back(*teacher.eos);
    for (std::size_t i = 0; i < std::min(student_all.size(), teacher_all.size()); ++i) {
      list.add({student_all[i]}, {teacher_all[i]});
    }
    return std::move(list.groups);
  }
  const auto slice = [](const std::vector<std::int64_t>& all, std::int32_t begin,
                        std::int32_t end) {
    return std::vector<std::int64_t>(all.begin() + begin, all.begin() + end);
  };
  for (const text::AlignedGroup& group : text::align_by_bytes(student.spans, teacher.spans)) {
    list.add(slice(student.content, group.student_begin, group.student_end),
             slice(teacher.content, group.teacher_begin, group.teacher_end));
  }
  const bool skipped = config.skip_student_eos || config.skip_teacher_eos;
  if (student.eos && teacher.eos && !skipped) list.add({*student.eos}, {*teacher.eos});
  return std::move(list.groups);
}

std::vector<std::pair<std::int64_t, std::int32_t>> predicted_tokens(const RowSide& side) {
  std::vector<std::pair<std::int64_t, std::int32_t>> tokens;
  for (std::size_t i = 1; i < side.ids.size(); ++i) {
    if (side.is_completion[i]) tokens.emplace_back(static_cast<std::int64_t>(i) - 1, side.ids[i]);
  }
  return tokens;
}

WindowCounts count_window(const std::vector<Row>& rows, const LossConfig& config) {
  WindowCounts counts{.rows = static_cast<std::int64_t>(rows.size())};
  for (const Row& row : rows) {
    const auto student = static_cast<std::int64_t>(predicted_tokens(row.student).size());
    const auto teacher = static_cast<std::int64_t>(predicted_tokens(row.teacher).size());
    counts.ce_tokens += student;
    counts.jsd_positions += config.sequence_level ? student : std::min(student, teacher);
  }
  return counts;
}

}  // namespace aurum::loss

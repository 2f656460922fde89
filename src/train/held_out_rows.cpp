#include "train/held_out_rows.h"

#include "base/error.h"

namespace aurum::train {

namespace {
constexpr std::int64_t kHiddenBudgetBytes = std::int64_t{256} << 20;
}

HeldOutRows::HeldOutRows(const std::vector<data::Example>& examples, const RowBuilder& builder,
                         std::int64_t batch_size) {
  for (const data::Example& example : examples) {
    std::optional<loss::Row> row = builder.from_answer(example);
    if (!row) continue;
    if (batches_.empty() || static_cast<std::int64_t>(batches_.back().rows.size()) == batch_size) {
      batches_.emplace_back();
    }
    batches_.back().rows.push_back(std::move(*row));
  }
  if (!examples.empty() && batches_.empty()) {
    throw InputError("data.validation: every row is empty after truncation");
  }
}

std::vector<loss::Row> HeldOutRows::all_rows() const {
  std::vector<loss::Row> rows;
  for (const Batch& batch : batches_) rows.insert(rows.end(), batch.rows.begin(), batch.rows.end());
  return rows;
}

at::Tensor HeldOutRows::keep(Batch& batch, at::Tensor hidden) {
  const auto bytes = static_cast<std::int64_t>(hidden.nbytes());
  if (kept_bytes_ + bytes <= kHiddenBudgetBytes) {
    kept_bytes_ += bytes;
    batch.teacher_hidden = hidden;
  }
  return hidden;
}

}  // namespace aurum::train

#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "data/example.h"
#include "loss/distillation_loss.h"
#include "train/row_builder.h"

namespace aurum::train {

// The rows of every evaluation. They never change, so they are rendered and tokenized once, and
// the teacher's hidden states of them are kept as far as a budget of bytes goes.
class HeldOutRows {
 public:
  struct Batch {
    std::vector<loss::Row> rows;
    at::Tensor teacher_hidden;  // [positions, hidden]; undefined until it was kept
  };

  // Throws InputError when nothing is left of any example.
  HeldOutRows(const std::vector<data::Example>& examples, const RowBuilder& builder,
              std::int64_t batch_size);

  std::vector<Batch>& batches() { return batches_; }
  std::vector<loss::Row> all_rows() const;
  // Keeps `hidden` for the next evaluation if there is room, and returns it.
  at::Tensor keep(Batch& batch, at::Tensor hidden);

 private:
  std::vector<Batch> batches_;
  std::int64_t kept_bytes_ = 0;
};

}  // namespace aurum::train

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "loss/distillation_loss.h"

namespace aurum::cli {

// One model's part of the window that `aurum loss` reads.
struct LossInputSide {
  std::vector<at::Tensor> rows;  // logits [positions, vocab], or hidden states [positions, hidden]
  at::Tensor head;               // [vocab, hidden]; undefined with logits
  std::int64_t vocab = 0;
};

struct LossInputs {
  std::vector<loss::Row> rows;
  LossInputSide student, teacher;
  loss::VocabularyPair vocabulary;
};

// Reads the tensors that `config` needs and checks everything about them. `arithmetic` is the type
// in which floats must be finite. Throws FormatError, naming the file and the tensor.
LossInputs read_loss_inputs(const std::string& path, const loss::LossConfig& config,
                            at::ScalarType arithmetic);

}  // namespace aurum::cli

#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/causal_lm.h"
#include "model/layers/low_rank.h"

namespace aurum::model {

// Puts an adapter on the matrices of a model while they are loaded.
class AdapterBuilder {
 public:
  // `input_major`: the model's matrices are stored [in, out], which peft wants to know.
  AdapterBuilder(const AdapterOptions& options, bool input_major);

  // Throws InputError when the adapter targets `module`, which it cannot change.
  void refuse(const std::string& module) const;
  // The correction of a matrix [rows, columns] whose part of its Linear begins at `first_row`;
  // nullopt when it is not a target.
  std::optional<LowRank> make(const std::string& module, std::int64_t first_row, std::int64_t rows,
                              std::int64_t columns);

  // The configuration to save, "all-linear" replaced by the names it stands for. Throws InputError
  // when the adapter changed nothing.
  weights::LoraConfig finish();
  const std::shared_ptr<AdapterDropout>& dropout() const { return dropout_; }

 private:
  bool targets_all() const;
  std::pair<at::Tensor, at::Tensor> start_of(const std::string& module, std::int64_t rows,
                                             std::int64_t columns) const;

  const AdapterOptions& options_;
  weights::LoraConfig config_;
  std::shared_ptr<AdapterDropout> dropout_;
  std::set<std::string> seen_, adapted_;  // last parts of module names
};

// The layers that peft adapts by default: queries and values, or the matrix that holds them.
std::vector<std::string> default_adapter_targets(const weights::ModelConfig& config);

}  // namespace aurum::model

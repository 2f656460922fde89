#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

namespace aurum::model {

// Dropout in front of all adapters of one model. The mask of a matrix is a function of the seed,
// the matrix's name and `draw`, so that a layer that runs again in the backward pass, or a run that
// is resumed, drops the same values.
struct AdapterDropout {
  double probability = 0.0;
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> draw;  // nothing is dropped without one
};

// A trained correction of one matrix (LoRA; Hu et al. 2021, section 4.1). Its rows [begin, end) of
// a Linear's output grow by scale * B A dropout(x).
struct LowRank {
  std::string module;  // "model.layers.0.self_attn.q_proj"
  std::int64_t begin = 0, end = 0;
  at::Tensor a, b;  // [rank, in] and [end - begin, rank], leaves
  double scale = 1.0;
  std::shared_ptr<const AdapterDropout> dropout;
};

// What dropout(x) multiplies x [tokens, in] with: 0 or 1 / (1 - p). Undefined: nothing is dropped.
at::Tensor dropout_mask(const AdapterDropout& dropout, const std::string& module,
                        const at::Tensor& x);

// peft's start of A: uniform within 1 / sqrt(in), which is Kaiming's with a = sqrt(5).
at::Tensor initial_a(std::uint64_t seed, const std::string& module, std::int64_t rank,
                     std::int64_t columns);

}  // namespace aurum::model

#pragma once

#include <cstdint>

#include "weights/checkpoint.h"

namespace aurum::cli {

// Peak resident memory of a use of a model, by what holds it.
struct MemoryEstimate {
  std::int64_t program = 0;  // code, libtorch, tokenizer
  std::int64_t file = 0;     // pages of the model's files, which the system may take back
  std::int64_t weights = 0;  // expanded copies of the weights
  std::int64_t optimizer = 0;
  std::int64_t working = 0;  // caches, activations, gradients, one expanded matrix

  std::int64_t total() const { return program + file + weights + optimizer + working; }
};

// What a checkpoint holds, counted once.
struct WeightSizes {
  std::int64_t values = 0, bytes = 0;
  std::int64_t block_values = 0;          // of `values`, those in quantized blocks
  std::int64_t largest_block_matrix = 0;  // values
  std::int64_t moved_bytes = 0;           // rows of blocks that llama's permutation copies
  weights::DType matrix_dtype = weights::DType::kFloat32;  // of the largest one
};
WeightSizes measure_weights(const weights::Checkpoint& checkpoint);

enum class ComputeType { kFloat32, kBFloat16 };

// `aurum logits`, and a teacher in training: a batch of `tokens` tokens, no gradients.
MemoryEstimate estimate_scoring(const weights::ModelConfig& config, const WeightSizes& sizes,
                                ComputeType type, std::int64_t tokens);
// `aurum generate`: one sequence of `context` tokens.
MemoryEstimate estimate_generation(const weights::ModelConfig& config, const WeightSizes& sizes,
                                   ComputeType type, std::int64_t context);
// A student in bfloat16 with AdamW: micro-batches of `tokens` tokens. The teacher comes on top.
MemoryEstimate estimate_training(const weights::ModelConfig& config, const WeightSizes& sizes,
                                 std::int64_t tokens);

// Keys and values of one sequence.
std::int64_t cache_bytes(const weights::ModelConfig& config, ComputeType type,
                         std::int64_t context);

}  // namespace aurum::cli

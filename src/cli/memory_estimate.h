#pragma once

#include <cstdint>

#include "weights/checkpoint.h"

namespace aurum::cli {

// Peak resident memory of a use of a model, by what holds it.
struct MemoryEstimate {
  std::int64_t program = 0;    // code, libtorch, tokenizers
  std::int64_t file = 0;       // pages of the model's files, which the system may take back
  std::int64_t weights = 0;    // expanded copies of the weights
  std::int64_t optimizer = 0;  // masters, summed gradients and moments
  std::int64_t working = 0;    // caches, activations, gradients, one expanded matrix

  std::int64_t total() const { return program + file + weights + optimizer + working; }
};

// What a checkpoint holds, counted once.
struct WeightSizes {
  std::int64_t values = 0, bytes = 0;
  std::int64_t block_values = 0;          // of `values`, those in quantized blocks
  std::int64_t largest_block_matrix = 0;  // values
  std::int64_t read_bytes = 0;            // of blocks that are read where the file lies
  std::int64_t moved_bytes = 0;           // of blocks that llama's permutation copies
  std::int64_t last_copied_bytes = 0;     // of the dense tensor whose copy is the last large one
  weights::DType matrix_dtype = weights::DType::kFloat32;  // of the largest one
};
WeightSizes measure_weights(const weights::Checkpoint& checkpoint);

enum class ComputeType { kFloat32, kBFloat16 };

// A model whose memory is asked for.
struct SizedModel {
  const weights::ModelConfig& config;
  WeightSizes sizes;

  explicit SizedModel(const weights::Checkpoint& checkpoint)
      : config(checkpoint.config()), sizes(measure_weights(checkpoint)) {}
};

// `aurum logits`: a batch of `tokens` tokens, no gradients.
MemoryEstimate estimate_scoring(const SizedModel& model, ComputeType type, std::int64_t tokens);

// `aurum generate`: one sequence of `context` tokens.
MemoryEstimate estimate_generation(const SizedModel& model, ComputeType type, std::int64_t context);

// `aurum train`: a student in bfloat16 with AdamW, on given answers or its own.
struct TrainingUse {
  std::int64_t tokens = 0;     // of a micro-batch
  bool checkpointing = false;  // training.enable_gradient_checkpointing
  std::int64_t lora_rank = 0;  // of an adapter on the usual layers; 0: all weights are trained
};
// `teacher` may be null: its part then comes on top. It may be `student` itself, whose adapter then
// shares the weights.
MemoryEstimate estimate_training(const SizedModel& student, const TrainingUse& use,
                                 const SizedModel* teacher);

// What rolling out a micro-batch of `tokens` tokens takes beside the weights and the optimizer: the
// decoder's packed matrices, keys and values, and a block of prompts. It is given back before the
// step's passes.
std::int64_t rollout_bytes(const SizedModel& student, std::int64_t tokens);

// Keys and values of one sequence.
std::int64_t cache_bytes(const weights::ModelConfig& config, ComputeType type,
                         std::int64_t context);

}  // namespace aurum::cli

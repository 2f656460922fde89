// Predicts peak memory from what each use keeps. The constants come from runs of SmolLM2 135M and
// Gemma 3 270M, folders and GGUF files, in both types, under /usr/bin/time: the program by itself
// takes 116 MB, libtorch's first matrix products 20 MB more, a tokenizer 450 bytes an id.

#include "cli/memory_estimate.h"

#include <algorithm>

namespace aurum::cli {
namespace {

constexpr std::int64_t kProgramBytes = 116'000'000;
constexpr std::int64_t kTorchBytes = 20'000'000;
constexpr std::int64_t kTokenizerBytesPerId = 450;
constexpr std::int64_t kLogitsPositions = 128;  // that the head computes at a time

std::int64_t bytes_of(ComputeType type) { return type == ComputeType::kFloat32 ? 4 : 2; }

std::int64_t query_size(const weights::ModelConfig& config) {
  return config.num_heads * config.head_dim;
}

// What one layer holds at once without gradients: the residual and its norms, queries, keys and
// values repeated to all heads and the output, and the MLP's gate, up and product.
std::int64_t layer_values(const weights::ModelConfig& config) {
  return 6 * config.hidden_size + 4 * query_size(config) + 3 * config.intermediate_size;
}

// What one layer keeps for its backward pass in bfloat16, float32 norms included.
std::int64_t saved_bytes(const weights::ModelConfig& config) {
  return 22 * config.hidden_size + 12 * query_size(config) + 8 * config.intermediate_size;
}

}  // namespace

WeightSizes measure_weights(const weights::Checkpoint& checkpoint) {
  WeightSizes sizes;
  std::int64_t largest = 0;
  for (const std::string& name : checkpoint.tensor_names()) {
    const weights::TensorView view = checkpoint.tensor(name);
    const std::int64_t values = view.num_values();
    const auto bytes = static_cast<std::int64_t>(view.bytes.size());
    sizes.values += values;
    sizes.bytes += bytes;
    if (values > largest) {
      largest = values;
      sizes.matrix_dtype = view.dtype;
    }
    if (!weights::is_block_quantized(view.dtype)) continue;
    sizes.block_values += values;
    sizes.largest_block_matrix = std::max(sizes.largest_block_matrix, values);
    const bool is_permuted =
        checkpoint.config().model_type == "llama" &&
        (name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos);
    if (is_permuted) sizes.moved_bytes += bytes;
  }
  return sizes;
}

MemoryEstimate estimate_scoring(const weights::ModelConfig& config, const WeightSizes& sizes,
                                ComputeType type, std::int64_t tokens) {
  const std::int64_t size = bytes_of(type);
  const std::int64_t positions = std::min(tokens, kLogitsPositions);
  const std::int64_t logits = positions * config.vocab_size * (size == 4 ? 4 : 6);
  MemoryEstimate estimate{.program = kProgramBytes + kTorchBytes, .file = sizes.bytes};
  // Blocks stay blocks and are expanded one matrix at a time.
  estimate.weights = size * (sizes.values - sizes.block_values) + sizes.moved_bytes;
  estimate.working =
      size * sizes.largest_block_matrix + logits + size * tokens * layer_values(config);
  return estimate;
}

MemoryEstimate estimate_generation(const weights::ModelConfig& config, const WeightSizes& sizes,
                                   ComputeType type, std::int64_t context) {
  const auto wanted =
      type == ComputeType::kFloat32 ? weights::DType::kFloat32 : weights::DType::kBFloat16;
  MemoryEstimate estimate{.program = kProgramBytes + kTokenizerBytesPerId * config.vocab_size,
                          .file = sizes.bytes};
  // Weights of the wanted type are used where the file lies in memory.
  if (sizes.matrix_dtype != wanted) estimate.weights = bytes_of(type) * sizes.values;
  estimate.working = cache_bytes(config, type, context);
  return estimate;
}

MemoryEstimate estimate_training(const weights::ModelConfig& config, const WeightSizes& sizes,
                                 std::int64_t tokens) {
  MemoryEstimate estimate{
      .program = kProgramBytes + kTorchBytes + kTokenizerBytesPerId * config.vocab_size,
      .file = sizes.bytes};
  estimate.weights = 2 * sizes.values;
  // Float32 masters, summed gradients and AdamW's two moments.
  estimate.optimizer = 16 * sizes.values;
  // The gradients of a micro-batch grow while its saved activations go.
  estimate.working = std::max(2 * sizes.values, tokens * config.num_layers * saved_bytes(config)) +
                     4 * kLogitsPositions * config.vocab_size;
  return estimate;
}

std::int64_t cache_bytes(const weights::ModelConfig& config, ComputeType type,
                         std::int64_t context) {
  return 2 * bytes_of(type) * config.num_kv_heads * config.head_dim * config.num_layers * context;
}

}  // namespace aurum::cli

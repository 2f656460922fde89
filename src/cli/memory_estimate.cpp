// Predicts peak memory from what each use keeps. What a layer holds is read off model/layers/; the
// constants come from runs under tools/check_memory.py (docs/performance-model.md has its table):
// the program by itself takes 116 MB, libtorch's first matrix products 20 MB more, a tokenizer 450
// bytes an id.

#include "cli/memory_estimate.h"

#include <algorithm>
#include <string>

#include "kernels/packed_linear.h"
#include "kernels/pair_gemm.h"
#include "model/tensor_memory.h"
#include "rollout/kv_pool.h"

namespace aurum::cli {
namespace {

constexpr std::int64_t kProgramBytes = 116'000'000;
constexpr std::int64_t kTorchBytes = 20'000'000;
constexpr std::int64_t kTokenizerBytesPerId = 450;
constexpr std::int64_t kLogitsPositions = 128;  // that `aurum logits` computes at a time
constexpr std::int64_t kLossPositions = 96;     // of each side, in a chunk of the loss
constexpr std::int64_t kPromptPositions = 256;  // that a decoder runs together
constexpr std::int64_t kMostExpandedHead = std::int64_t{1} << 30;  // bytes; larger ones are tiled

std::int64_t bytes_of(ComputeType type) { return type == ComputeType::kFloat32 ? 4 : 2; }

std::int64_t query_size(const weights::ModelConfig& config) {
  return config.num_heads * config.head_dim;
}
std::int64_t key_size(const weights::ModelConfig& config) {
  return config.num_kv_heads * config.head_dim;
}
std::int64_t qkv_size(const weights::ModelConfig& config) {
  return query_size(config) + 2 * key_size(config);
}
std::int64_t head_values(const weights::ModelConfig& config) {
  return config.vocab_size * config.hidden_size;
}

// What one layer holds per token at once without gradients: the float32 residual, and either a
// branch with its norm, attention between its products, or the MLP.
std::int64_t layer_bytes(const weights::ModelConfig& config, std::int64_t size) {
  const std::int64_t residual = 4 * config.hidden_size;
  const std::int64_t norm = 12 * config.hidden_size + 2 * size * config.hidden_size;
  const std::int64_t attention = size * (2 * qkv_size(config) + query_size(config));
  const std::int64_t mlp = residual + size * (config.hidden_size + 3 * config.intermediate_size);
  return residual + std::max({norm, attention, mlp});
}

// What one layer keeps per token for its backward pass in bfloat16: the residual before and between
// its branches in float32, the inputs of its matrices (under an adapter, too: measured), and what
// attention, post norms and the MLP's activation differentiate.
std::int64_t saved_bytes(const weights::ModelConfig& config) {
  const std::int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  std::int64_t values = qkv_size(config) + query_size(config);
  if (config.qk_norm) values += query_size(config) + key_size(config);
  if (config.post_norms) values += 2 * hidden;
  values += 2 * hidden + (config.gated_mlp ? 3 : 2) * inner;
  return 2 * 4 * hidden + 2 * values;
}

// An adapter of `rank` on queries and values, or on the one matrix that holds them.
std::int64_t adapter_values(const weights::ModelConfig& config, std::int64_t rank) {
  const std::int64_t sizes = config.fused_qkv
                                 ? config.hidden_size + qkv_size(config)
                                 : 2 * config.hidden_size + query_size(config) + key_size(config);
  return rank * sizes * config.num_layers;
}

// Blocks stay blocks and are expanded one matrix at a time, all other weights are copied.
std::int64_t frozen_weights(const WeightSizes& sizes, std::int64_t size) {
  return size * (sizes.values - sizes.block_values) + sizes.moved_bytes;
}

// What a frozen pass needs besides the weights. Our own products expand blocks as they go.
std::int64_t scoring_bytes(const SizedModel& model, std::int64_t size, std::int64_t tokens) {
  const bool expands = size == 4 || !kernels::prefers_pair_gemm();
  return (expands ? size * model.sizes.largest_block_matrix : 0) +
         tokens * layer_bytes(model.config, size);
}

// Two phases that need blocks of different sizes: those of the one wait while the other runs.
std::int64_t phases(std::int64_t first, std::int64_t second) {
  constexpr auto kKept = static_cast<std::int64_t>(model::kKeptTensorMemory);
  return std::max(first, second) + std::min({first, second, kKept});
}

bool decoder_packs(ComputeType type) {
  return kernels::PackedLinear::can_pack({.is_bfloat16 = type == ComputeType::kBFloat16});
}

// Float32 rows of a block of prompts on their way through a decoder's layer.
std::int64_t prompt_bytes(const weights::ModelConfig& config) {
  return 4 * kPromptPositions *
         (3 * config.hidden_size + qkv_size(config) + query_size(config) +
          (config.gated_mlp ? 3 : 2) * config.intermediate_size);
}

// The loss holds the teacher's head expanded, unless it is very large.
std::int64_t expanded_head(const SizedModel& teacher) {
  const std::int64_t bytes = 2 * head_values(teacher.config);
  return teacher.sizes.block_values > 0 && bytes <= kMostExpandedHead ? bytes : 0;
}

// The largest of what the parts of a step hold: the teacher's pass and the loss beside the
// student's saved activations; the backward pass, whose gradients hardly find room in what the
// activations leave.
std::int64_t step_bytes(const SizedModel& student, const TrainingUse& use,
                        const SizedModel* teacher) {
  const weights::ModelConfig& config = student.config;
  const bool is_adapted = use.lora_rank > 0;
  const std::int64_t layer = use.tokens * saved_bytes(config);
  const std::int64_t inputs = use.tokens * 4 * config.hidden_size;  // what checkpointing keeps
  const std::int64_t saved =
      use.checkpointing ? config.num_layers * inputs + layer : config.num_layers * layer;
  const std::int64_t trained =
      is_adapted ? adapter_values(config, use.lora_rank) : student.sizes.values;
  const std::int64_t backward = saved + 2 * trained + use.tokens * layer_bytes(config, 2);
  const std::int64_t logits = 4 * kLossPositions * config.vocab_size;
  if (!teacher) return backward + logits;
  const std::int64_t pass = saved + scoring_bytes(*teacher, 2, use.tokens);
  const std::int64_t loss = saved + expanded_head(*teacher);
  return std::max({pass, loss, backward}) + logits +
         4 * kLossPositions * teacher->config.vocab_size;
}

// gpt_oss folders: a byte of `*_blocks` holds two values, a byte of `*_scales` none.
std::int64_t stored_values(const weights::TensorView& view) {
  if (view.dtype != weights::DType::kUInt8) return view.num_values();
  return view.name.ends_with("_blocks") ? 2 * view.num_values() : 0;
}

}  // namespace

WeightSizes measure_weights(const weights::Checkpoint& checkpoint) {
  WeightSizes sizes;
  std::int64_t largest = 0, largest_in_layer = 0, head = 0;
  for (const std::string& name : checkpoint.tensor_names()) {
    const weights::TensorView view = checkpoint.tensor(name);
    const std::int64_t values = stored_values(view);
    const auto bytes = static_cast<std::int64_t>(view.bytes.size());
    sizes.values += values;
    sizes.bytes += bytes;
    if (values > largest) {
      largest = values;
      sizes.matrix_dtype = view.dtype;
    }
    if (!weights::is_block_quantized(view.dtype)) {
      if (view.file && name == "lm_head.weight") head = bytes;
      const bool in_layer = view.file && name.find("layers.") != std::string::npos;
      if (in_layer) largest_in_layer = std::max(largest_in_layer, bytes);
      continue;
    }
    sizes.block_values += values;
    sizes.largest_block_matrix = std::max(sizes.largest_block_matrix, values);
    (view.file ? sizes.read_bytes : sizes.moved_bytes) += bytes;
  }
  sizes.last_copied_bytes = std::max(largest_in_layer, head);
  return sizes;
}

MemoryEstimate estimate_scoring(const SizedModel& model, ComputeType type, std::int64_t tokens) {
  const std::int64_t size = bytes_of(type);
  const std::int64_t positions = std::min(tokens, kLogitsPositions);
  const std::int64_t logits = positions * model.config.vocab_size * (size == 4 ? 4 : 6);
  MemoryEstimate estimate{.program = kProgramBytes + kTorchBytes, .file = model.sizes.read_bytes};
  estimate.weights = frozen_weights(model.sizes, size);
  const std::int64_t hidden = tokens * size * model.config.hidden_size;
  estimate.working = std::max(model.sizes.last_copied_bytes,
                              hidden + phases(scoring_bytes(model, size, tokens), logits));
  return estimate;
}

MemoryEstimate estimate_generation(const SizedModel& model, ComputeType type,
                                   std::int64_t context) {
  const weights::ModelConfig& config = model.config;
  const std::int64_t embedding = bytes_of(type) * head_values(config);
  const std::int64_t all = bytes_of(type) * model.sizes.values;
  const std::int64_t matrices = config.tie_word_embeddings ? all : all - embedding;
  const auto wanted =
      type == ComputeType::kFloat32 ? weights::DType::kFloat32 : weights::DType::kBFloat16;
  const bool in_place = model.sizes.matrix_dtype == wanted;
  MemoryEstimate estimate{.program = kProgramBytes + kTokenizerBytesPerId * config.vocab_size};
  // Weights of the wanted type are used where the file lies, the embedding by single rows. All
  // others are expanded, also an embedding that is the head as well.
  if (in_place && !decoder_packs(type)) estimate.file = matrices;
  if (!in_place) estimate.weights += embedding;
  if (!in_place || decoder_packs(type)) estimate.weights += matrices;
  const std::int64_t running =
      cache_bytes(config, type, context) + prompt_bytes(config) + 4 * config.vocab_size;
  // The head is packed first, from its pages or from a copy, before there are layers.
  const std::int64_t layers = matrices - embedding;
  estimate.working = decoder_packs(type) ? std::max(running, embedding - layers) : running;
  return estimate;
}

MemoryEstimate estimate_training(const SizedModel& student, const TrainingUse& use,
                                 const SizedModel* teacher) {
  const std::int64_t trained =
      use.lora_rank > 0 ? adapter_values(student.config, use.lora_rank) : student.sizes.values;
  MemoryEstimate estimate{
      .program = kProgramBytes + kTorchBytes + kTokenizerBytesPerId * student.config.vocab_size,
  };
  estimate.weights = 2 * student.sizes.values;
  if (use.lora_rank > 0) estimate.weights += 2 * trained;
  estimate.optimizer = 16 * trained;  // float32 masters, summed gradients, two moments
  // Rollouts come before a step's passes, which they leave their memory to.
  estimate.working =
      std::max(step_bytes(student, use, teacher), rollout_bytes(student, use.tokens));
  if (!teacher) return estimate;
  estimate.program += kTokenizerBytesPerId * teacher->config.vocab_size;
  if (teacher == &student) return estimate;  // the base under the adapter
  estimate.file += teacher->sizes.read_bytes;
  estimate.weights += frozen_weights(teacher->sizes, 2);
  return estimate;
}

std::int64_t rollout_bytes(const SizedModel& student, std::int64_t tokens) {
  const weights::ModelConfig& config = student.config;
  const std::int64_t embedding = config.tie_word_embeddings ? 0 : head_values(config);
  const std::int64_t packed =
      decoder_packs(ComputeType::kBFloat16) ? 2 * (student.sizes.values - embedding) : 0;
  return packed + cache_bytes(config, ComputeType::kBFloat16, tokens) + prompt_bytes(config);
}

std::int64_t cache_bytes(const weights::ModelConfig& config, ComputeType type,
                         std::int64_t context) {
  return context * rollout::kv_bytes_per_position(config, type != ComputeType::kFloat32);
}

}  // namespace aurum::cli

// Predicts peak memory from what each use keeps. What a layer holds is read off model/layers/; the
// constants come from runs under tools/check_memory.py (docs/performance-model.md has its table):
// the program by itself takes 116 MB, libtorch's first matrix products 20 MB more, a tokenizer 450
// bytes an id.

#include "cli/memory_estimate.h"

#include <algorithm>
#include <string>

namespace aurum::cli {
namespace {

constexpr std::int64_t kProgramBytes = 116'000'000;
constexpr std::int64_t kTorchBytes = 20'000'000;
constexpr std::int64_t kTokenizerBytesPerId = 450;
constexpr std::int64_t kLogitsPositions = 128;  // that `aurum logits` computes at a time
constexpr std::int64_t kLossPositions = 96;     // of each side, in a chunk of the loss
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

// What a frozen pass needs besides the weights.
std::int64_t scoring_bytes(const SizedModel& model, std::int64_t size, std::int64_t tokens) {
  return size * model.sizes.largest_block_matrix + tokens * layer_bytes(model.config, size);
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
  const std::int64_t head_gradient = 4 * head_values(config);
  // The largest gradient of trained weights is converted to float32 when it is added up.
  const std::int64_t backward = saved + 2 * trained + (is_adapted ? 1 : 2) * head_gradient +
                                use.tokens * layer_bytes(config, 2);
  const std::int64_t logits = 4 * kLossPositions * config.vocab_size;
  if (!teacher) return backward + logits;
  const std::int64_t pass = saved + scoring_bytes(*teacher, 2, use.tokens);
  const std::int64_t loss = saved + head_gradient + expanded_head(*teacher);
  return std::max({pass, loss, backward}) + logits +
         4 * kLossPositions * teacher->config.vocab_size;
}

bool is_permuted(const std::string& name, const weights::ModelConfig& config) {
  return config.model_type == "llama" &&
         (name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos);
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
    if (!view.file) sizes.kept_bytes += bytes;
    if (values > largest) {
      largest = values;
      sizes.matrix_dtype = view.dtype;
    }
    if (view.file && name == "lm_head.weight") head = bytes;
    if (view.file && name.find("layers.") != std::string::npos) {
      largest_in_layer = std::max(largest_in_layer, bytes);
    }
    if (!weights::is_block_quantized(view.dtype)) continue;
    sizes.block_values += values;
    sizes.largest_block_matrix = std::max(sizes.largest_block_matrix, values);
    if (is_permuted(name, checkpoint.config())) sizes.moved_bytes += bytes;
  }
  sizes.last_copied_bytes = std::max(largest_in_layer, head);
  return sizes;
}

MemoryEstimate estimate_scoring(const SizedModel& model, ComputeType type, std::int64_t tokens) {
  const std::int64_t size = bytes_of(type);
  const std::int64_t positions = std::min(tokens, kLogitsPositions);
  const std::int64_t logits = positions * model.config.vocab_size * (size == 4 ? 4 : 6);
  MemoryEstimate estimate{.program = kProgramBytes + kTorchBytes, .file = model.sizes.kept_bytes};
  estimate.weights = frozen_weights(model.sizes, size);
  estimate.working =
      std::max(model.sizes.last_copied_bytes, scoring_bytes(model, size, tokens) + logits);
  return estimate;
}

MemoryEstimate estimate_generation(const SizedModel& model, ComputeType type,
                                   std::int64_t context) {
  const weights::ModelConfig& config = model.config;
  const auto wanted =
      type == ComputeType::kFloat32 ? weights::DType::kFloat32 : weights::DType::kBFloat16;
  MemoryEstimate estimate{.program = kProgramBytes + kTokenizerBytesPerId * config.vocab_size,
                          .file = model.sizes.bytes};
  if (model.sizes.matrix_dtype != wanted) {
    estimate.weights = bytes_of(type) * model.sizes.values;
  } else if (!config.tie_word_embeddings) {
    // Weights of the wanted type are used where the file lies, the embedding by single rows.
    estimate.file -= bytes_of(type) * head_values(config);
  }
  estimate.working = cache_bytes(config, type, context);
  return estimate;
}

MemoryEstimate estimate_training(const SizedModel& student, const TrainingUse& use,
                                 const SizedModel* teacher) {
  const std::int64_t trained =
      use.lora_rank > 0 ? adapter_values(student.config, use.lora_rank) : student.sizes.values;
  MemoryEstimate estimate{
      .program = kProgramBytes + kTorchBytes + kTokenizerBytesPerId * student.config.vocab_size,
      .file = student.sizes.kept_bytes};
  estimate.weights = 2 * student.sizes.values;
  if (use.lora_rank > 0) estimate.weights += 2 * trained;
  estimate.optimizer = 16 * trained;  // float32 masters, summed gradients, two moments
  // Samples are rolled out before the first step and after the last one, whatever lmbda is.
  estimate.working = std::max(step_bytes(student, use, teacher), rollout_bytes(student));
  if (!teacher) return estimate;
  estimate.program += kTokenizerBytesPerId * teacher->config.vocab_size;
  if (teacher == &student) return estimate;  // the base under the adapter
  estimate.file += teacher->sizes.kept_bytes;
  estimate.weights += frozen_weights(teacher->sizes, 2);
  return estimate;
}

std::int64_t rollout_bytes(const SizedModel& student) {
  const bool has_head = !student.config.tie_word_embeddings;
  return 2 * (student.sizes.values - (has_head ? head_values(student.config) : 0));
}

std::int64_t cache_bytes(const weights::ModelConfig& config, ComputeType type,
                         std::int64_t context) {
  return 2 * bytes_of(type) * key_size(config) * config.num_layers * context;
}

}  // namespace aurum::cli

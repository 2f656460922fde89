#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kernels/attention.h"
#include "kernels/linear.h"
#include "kernels/packed_linear.h"
#include "model/layers/rotary_frequencies.h"
#include "weights/model_config.h"

namespace aurum::rollout {

// A norm's weight (Gemma's one already added) and bias, in float32. Empty: there is no such norm.
struct NormWeights {
  std::vector<float> weight, bias;
};

// An adapter's correction of a matrix: scale * b a, borrowed.
struct LowRankWeights {
  kernels::WeightMatrix a, b;  // [rank, cols] and [rows, rank]
  float scale = 1.0f;
};

// A borrowed matrix with an owned float32 copy of its bias.
struct LinearWeights {
  kernels::WeightMatrix matrix;
  std::vector<float> bias;
  std::optional<LowRankWeights> low_rank;
  std::shared_ptr<const void> owner;  // of the matrix

  kernels::WeightMatrix view() const {
    kernels::WeightMatrix with_bias = matrix;
    with_bias.bias = bias.empty() ? nullptr : bias.data();
    return with_bias;
  }
};

// Matrices that read the same input and run as one product.
struct LinearGroup {
  std::vector<LinearWeights> parts;
  // Runs in the place of the parts, which then have no data; null where nothing can be packed.
  std::shared_ptr<const kernels::PackedLinear> packed;

  std::int64_t num_rows() const;
};

// Gate and up, or up alone.
struct DecoderMlp {
  LinearGroup gate_up, down;
};

struct DecoderLayer {
  LinearGroup qkv, output;
  DecoderMlp mlp;                                  // dense layers
  LinearGroup router;                              // sparse layers
  std::vector<DecoderMlp> experts;                 // sparse layers
  NormWeights input_norm, mlp_norm;                // before attention and before the MLP
  NormWeights post_attention_norm, post_mlp_norm;  // Gemma: on the branch before it is added
  NormWeights query_norm, key_norm;
  std::vector<float> sinks;  // [heads] or empty
};

// Everything a step needs; the large matrices are borrowed from whatever `keep_alive` owns.
struct DecoderModel {
  weights::ModelConfig config;
  bool is_bfloat16 = false;
  kernels::WeightMatrix embedding, positions;  // positions: data is null without learned ones
  LinearGroup head;
  std::vector<DecoderLayer> layers;
  NormWeights final_norm;
  std::shared_ptr<const void> keep_alive;
};

// One token to run. Its keys and values go to `cache` at `position`; all earlier positions must be
// there already, or stand before it in the same step.
struct DecodeToken {
  std::int32_t id = 0;
  std::int64_t position = 0;
  kernels::KvCache* cache = nullptr;
  std::int64_t row_length = 0;  // chooses the rotary factors where they depend on the length
  bool wants_logits = false;
};

// Runs tokens of any sequences through the model together, without autograd. Norms, attention and
// the residual stream are float32; the result for a token does not depend on the others.
class Decoder {
 public:
  explicit Decoder(DecoderModel model);

  const weights::ModelConfig& config() const { return model_.config; }
  std::int64_t vocab_size() const { return model_.head.num_rows(); }
  std::int64_t num_embeddings() const { return model_.embedding.rows; }
  // Where learned positions end; nullopt for rotary ones.
  std::optional<std::int64_t> max_positions() const {
    if (!model_.positions.data) return std::nullopt;
    return model_.positions.rows;
  }
  kernels::KvCache make_cache(std::int64_t capacity) const;
  // Sequences whose key changes must be run again from the start.
  std::int64_t rotary_key(std::int64_t length) const;
  // Returns [tokens that want logits, vocab_size], float32; valid until the next step.
  std::span<float> step(std::span<const DecodeToken> tokens);

 private:
  struct Scratch {
    std::vector<float> residual, normed, branch, qkv, attended, gate_up, activated, logits;
    std::vector<float> router_logits, expert_input, expert_output;
    std::vector<float> full_cos_sin, sliding_cos_sin;
  };

  void embed(std::span<const DecodeToken> tokens);
  void find_angles(std::span<const DecodeToken> tokens);
  void run_layer(std::size_t index, std::span<const DecodeToken> tokens);
  void run_attention(std::size_t index, std::span<const DecodeToken> tokens);
  void prepare_heads(std::size_t index, const DecodeToken& token, std::int64_t slot);
  void run_mlp(const DecoderMlp& mlp, const std::vector<float>& in, std::int64_t batch,
               std::vector<float>& out);
  void run_experts(const DecoderLayer& layer, std::int64_t batch);
  void add_branch(const NormWeights& post_norm, std::int64_t batch);
  void norm_rows(const NormWeights& norm, std::int64_t batch, const float* in, float* out) const;
  void norm_row(const NormWeights& norm, std::int64_t size, const float* in, float* out) const;
  void rotate(const float* cos_sin, std::int64_t num_heads, float* heads) const;
  void fill_angles(const weights::RopeConfig& rope, std::span<const DecodeToken> tokens,
                   std::vector<float>& cos_sin) const;
  std::span<float> run_head(std::span<const DecodeToken> tokens);

  DecoderModel model_;
  kernels::AttentionShape shape_;
  std::int64_t rotary_dim_ = 0;
  Scratch scratch_;
};

}  // namespace aurum::rollout

#include "rollout/decoder.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/bfloat16.h"
#include "kernels/pointwise.h"

namespace aurum::rollout {

namespace {

using kernels::WeightMatrix;
using weights::ModelConfig;

kernels::AttentionShape shape_of(const ModelConfig& config) {
  kernels::AttentionShape shape;
  shape.num_heads = config.num_heads;
  shape.num_kv_heads = config.num_kv_heads;
  shape.head_dim = config.head_dim;
  shape.softcap = static_cast<float>(config.attention_softcap.value_or(0.0));
  return shape;
}

float round_if(bool is_bfloat16, float value) {
  return is_bfloat16 ? kernels::to_float(kernels::to_bfloat16(value)) : value;
}

void add_row(const WeightMatrix& matrix, std::int64_t row, float scale, float* out) {
  const std::int64_t first = row * matrix.cols;
  for (std::int64_t i = 0; i < matrix.cols; ++i) {
    const float value =
        matrix.is_bfloat16
            ? kernels::to_float(static_cast<const kernels::BFloat16*>(matrix.data)[first + i])
            : static_cast<const float*>(matrix.data)[first + i];
    out[i] += value * scale;
  }
}

void make_room(std::vector<float>& values, std::int64_t count) {
  if (values.size() < static_cast<std::size_t>(count)) {
    values.resize(static_cast<std::size_t>(count));
  }
}

// Adds scale * b a input to the columns of out [batch, stride] that begin at `first`.
void add_low_rank(const LowRankWeights& part, const std::vector<float>& input, std::int64_t batch,
                  std::int64_t first, std::int64_t stride, std::vector<float>& out) {
  std::vector<float> inner(static_cast<std::size_t>(batch * part.a.rows));
  std::vector<float> added(static_cast<std::size_t>(batch * part.b.rows));
  kernels::linear({&part.a, 1}, input.data(), batch, inner.data());
  kernels::linear({&part.b, 1}, inner.data(), batch, added.data());
  for (std::int64_t t = 0; t < batch; ++t) {
    const float* from = added.data() + t * part.b.rows;
    float* to = out.data() + t * stride + first;
    for (std::int64_t i = 0; i < part.b.rows; ++i) to[i] += part.scale * from[i];
  }
}

// The fused product with the adapters of its parts. Makes room in `out`; returns its width.
std::int64_t product(const LinearGroup& group, const std::vector<float>& input, std::int64_t batch,
                     std::vector<float>& out) {
  const std::int64_t stride = group.num_rows();
  make_room(out, batch * stride);
  if (group.packed) {
    (*group.packed)(input.data(), batch, out.data());
  } else {
    std::vector<WeightMatrix> views;
    for (const LinearWeights& part : group.parts) views.push_back(part.view());
    kernels::linear(views, input.data(), batch, out.data());
  }
  std::int64_t first = 0;
  for (const LinearWeights& part : group.parts) {
    if (part.low_rank) add_low_rank(*part.low_rank, input, batch, first, stride, out);
    first += part.matrix.rows;
  }
  return stride;
}

// act(gate) * up of one token; `up` null means 1.
void activate(const ModelConfig& config, const float* gate, const float* up, std::int64_t width,
              float* out) {
  if (config.clamped_swiglu) {
    const auto alpha = static_cast<float>(config.clamped_swiglu->alpha);
    const auto limit = static_cast<float>(config.clamped_swiglu->limit);
    for (std::int64_t i = 0; i < width; ++i) {
      const float g = std::min(gate[i], limit), u = std::clamp(up[i], -limit, limit);
      out[i] = (u + 1.0f) * g / (1.0f + std::exp(-alpha * g));
    }
    return;
  }
  kernels::activate(config.activation == weights::Activation::kSilu
                        ? kernels::PointwiseActivation::kSilu
                        : kernels::PointwiseActivation::kGeluTanh,
                    gate, up, width, out);
}

struct Route {
  std::int64_t token;
  float weight;
};

// Appends token `token` to the lists of the experts that its router logits choose.
void choose_experts(const weights::ExpertConfig& config, std::int64_t token,
                    std::span<const float> logits, std::vector<std::vector<Route>>& routes) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto chosen = order.begin() + config.experts_per_token;
  std::partial_sort(order.begin(), chosen, order.end(), [&](std::size_t a, std::size_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  const float largest = logits[order.front()];
  const auto weight = [&](std::size_t e) { return std::exp(logits[e] - largest); };
  const bool over_chosen = !config.softmax_before_top_k || config.normalize_weights;
  float sum = 0.0f;
  for (auto e = order.begin(); e != (over_chosen ? chosen : order.end()); ++e) sum += weight(*e);
  for (auto e = order.begin(); e != chosen; ++e) routes[*e].push_back({token, weight(*e) / sum});
}

constexpr std::int64_t kHeadsGrain = 4;            // tokens per thread that are worth waking it
constexpr std::int64_t kAttentionGrain = 1 << 16;  // multiplications that are worth it

// Tokens that are worth a thread, when each is a pass over `width` values at `cost` times the price
// of a norm: waking a thread takes as long as some 30,000 values.
std::int64_t tokens_per_thread(std::int64_t width, std::int64_t cost = 1) {
  return std::max<std::int64_t>(1, (1 << 15) / (width * cost));
}

}  // namespace

std::int64_t LinearGroup::num_rows() const {
  return std::accumulate(
      parts.begin(), parts.end(), std::int64_t{0},
      [](std::int64_t sum, const LinearWeights& part) { return sum + part.matrix.rows; });
}

Decoder::Decoder(DecoderModel model) : model_(std::move(model)), shape_(shape_of(model_.config)) {
  const ModelConfig& config = model_.config;
  AURUM_CHECK(static_cast<std::int64_t>(model_.layers.size()) == config.num_layers);
  rotary_dim_ =
      static_cast<std::int64_t>(
          model::rotary_frequencies(config.rope, config.head_dim, config.max_position_embeddings, 1)
              .inverse.size()) *
      2;
}

kernels::KvCache Decoder::make_cache(std::int64_t capacity) const {
  return {shape_, model_.config.num_layers, capacity, model_.is_bfloat16};
}

std::int64_t Decoder::rotary_key(std::int64_t length) const {
  const ModelConfig& config = model_.config;
  if (config.learned_positions) return 0;
  return model::rotary_key(config.rope, config.max_position_embeddings, length);
}

std::span<float> Decoder::step(std::span<const DecodeToken> tokens) {
  embed(tokens);
  find_angles(tokens);
  for (std::size_t layer = 0; layer < model_.layers.size(); ++layer) run_layer(layer, tokens);
  return run_head(tokens);
}

void Decoder::embed(std::span<const DecodeToken> tokens) {
  const ModelConfig& config = model_.config;
  const auto hidden = static_cast<std::size_t>(config.hidden_size);
  scratch_.residual.assign(tokens.size() * hidden, 0.0f);
  const float root = std::sqrt(static_cast<float>(config.hidden_size));
  const float scale = config.scale_embedding ? round_if(model_.is_bfloat16, root) : 1.0f;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const DecodeToken& token = tokens[t];
    AURUM_CHECK(token.id >= 0 && token.id < model_.embedding.rows, "token id {}", token.id);
    float* row = scratch_.residual.data() + t * hidden;
    add_row(model_.embedding, token.id, scale, row);
    if (model_.positions.data) add_row(model_.positions, token.position, 1.0f, row);
  }
}

void Decoder::find_angles(std::span<const DecodeToken> tokens) {
  const ModelConfig& config = model_.config;
  if (config.learned_positions) return;
  fill_angles(config.rope, tokens, scratch_.full_cos_sin);
  if (config.sliding_rope) fill_angles(*config.sliding_rope, tokens, scratch_.sliding_cos_sin);
}

// cos_sin [tokens, 2, rotary_dim / 2], rounded as the model rounds its own.
void Decoder::fill_angles(const weights::RopeConfig& rope, std::span<const DecodeToken> tokens,
                          std::vector<float>& cos_sin) const {
  const ModelConfig& config = model_.config;
  const auto half = static_cast<std::size_t>(rotary_dim_ / 2);
  cos_sin.resize(tokens.size() * 2 * half);
  model::RotaryFrequencies frequencies;
  std::int64_t key = -1;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const std::int64_t wanted =
        model::rotary_key(rope, config.max_position_embeddings, tokens[t].row_length);
    if (wanted != key) {
      frequencies = model::rotary_frequencies(rope, config.head_dim, config.max_position_embeddings,
                                              tokens[t].row_length);
      key = wanted;
    }
    float* cos = cos_sin.data() + t * 2 * half;
    for (std::size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(tokens[t].position) * frequencies.inverse[i];
      cos[i] = round_if(model_.is_bfloat16, std::cos(angle) * frequencies.scaling);
      cos[half + i] = round_if(model_.is_bfloat16, std::sin(angle) * frequencies.scaling);
    }
  }
}

void Decoder::run_layer(std::size_t index, std::span<const DecodeToken> tokens) {
  const DecoderLayer& layer = model_.layers[index];
  const auto batch = static_cast<std::int64_t>(tokens.size());
  scratch_.normed.resize(scratch_.residual.size());
  norm_rows(layer.input_norm, batch, scratch_.residual.data(), scratch_.normed.data());
  run_attention(index, tokens);
  product(layer.output, scratch_.attended, batch, scratch_.branch);
  add_branch(layer.post_attention_norm, batch);
  norm_rows(layer.mlp_norm, batch, scratch_.residual.data(), scratch_.normed.data());
  if (layer.experts.empty()) {
    run_mlp(layer.mlp, scratch_.normed, batch, scratch_.branch);
  } else {
    run_experts(layer, batch);
  }
  add_branch(layer.post_mlp_norm, batch);
}

void Decoder::run_attention(std::size_t index, std::span<const DecodeToken> tokens) {
  const ModelConfig& config = model_.config;
  const auto batch = static_cast<std::int64_t>(tokens.size());
  const std::int64_t stride =
      product(model_.layers[index].qkv, scratch_.normed, batch, scratch_.qkv);
  parallel_for(batch, kHeadsGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) prepare_heads(index, tokens[t], t);
  });
  const std::int64_t query_size = shape_.num_heads * shape_.head_dim;
  scratch_.attended.resize(static_cast<std::size_t>(batch * query_size));
  const std::int64_t window = config.sliding_window.empty() ? 0 : config.sliding_window[index];
  kernels::AttentionShape shape = shape_;
  shape.scale =
      static_cast<float>(weights::attention_scale(config, static_cast<std::int64_t>(index)));
  shape.sinks = model_.layers[index].sinks.empty() ? nullptr : model_.layers[index].sinks.data();
  const std::int64_t item_size = 2 * (tokens.front().position + 1) * shape_.head_dim *
                                 (shape_.num_heads / shape_.num_kv_heads);
  // Later tokens of a prompt find its keys in the cache; other sequences have theirs in memory.
  const auto next_of = [&](std::int64_t item) -> kernels::NextAttention {
    const std::int64_t next = (item + 1) / shape_.num_kv_heads;
    if (next == batch || (next > 0 && tokens[next].cache == tokens[next - 1].cache)) return {};
    return {.cache = tokens[next].cache, .kv_head = (item + 1) % shape_.num_kv_heads};
  };
  parallel_for(batch * shape_.num_kv_heads, kAttentionGrain / item_size + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 thread_local std::vector<float> scores;
                 for (std::int64_t item = begin; item < end; ++item) {
                   const std::int64_t t = item / shape_.num_kv_heads;
                   kernels::attend(shape, *tokens[t].cache, static_cast<std::int64_t>(index),
                                   item % shape_.num_kv_heads, tokens[t].position, window,
                                   scratch_.qkv.data() + t * stride,
                                   scratch_.attended.data() + t * query_size, scores,
                                   next_of(item));
                 }
               });
}

// Norms and rotates the queries and keys of one token and puts keys and values into its cache.
void Decoder::prepare_heads(std::size_t index, const DecodeToken& token, std::int64_t slot) {
  const ModelConfig& config = model_.config;
  const DecoderLayer& layer = model_.layers[index];
  const std::int64_t head_dim = shape_.head_dim;
  const std::int64_t key_offset = shape_.num_heads * head_dim;
  const std::int64_t value_offset = key_offset + shape_.num_kv_heads * head_dim;
  float* row = scratch_.qkv.data() + slot * (value_offset + shape_.num_kv_heads * head_dim);
  for (std::int64_t h = 0; h < shape_.num_heads + shape_.num_kv_heads; ++h) {
    const NormWeights& norm = h < shape_.num_heads ? layer.query_norm : layer.key_norm;
    if (!norm.weight.empty()) norm_row(norm, head_dim, row + h * head_dim, row + h * head_dim);
  }
  const bool rotates = config.uses_rope.empty() || config.uses_rope[index];
  if (rotates && !config.learned_positions) {
    const bool slides = !config.sliding_window.empty() && config.sliding_window[index] > 0;
    const std::vector<float>& table =
        slides && config.sliding_rope ? scratch_.sliding_cos_sin : scratch_.full_cos_sin;
    rotate(table.data() + slot * rotary_dim_, shape_.num_heads + shape_.num_kv_heads, row);
  }
  token.cache->store(static_cast<std::int64_t>(index), token.position, row + key_offset,
                     row + value_offset);
}

// The halves layout of Hugging Face: dimension i pairs with i + rotary_dim / 2.
void Decoder::rotate(const float* cos_sin, std::int64_t num_heads, float* heads) const {
  const std::int64_t half = rotary_dim_ / 2;
  const float* cos = cos_sin;
  const float* sin = cos_sin + half;
  for (std::int64_t h = 0; h < num_heads; ++h) {
    float* head = heads + h * shape_.head_dim;
    for (std::int64_t i = 0; i < half; ++i) {
      const float first = head[i], second = head[i + half];
      head[i] = first * cos[i] - second * sin[i];
      head[i + half] = second * cos[i] + first * sin[i];
    }
  }
}

void Decoder::run_mlp(const DecoderMlp& mlp, const std::vector<float>& in, std::int64_t batch,
                      std::vector<float>& out) {
  const std::int64_t stride = product(mlp.gate_up, in, batch, scratch_.gate_up);
  const std::int64_t width = mlp.down.parts.front().matrix.cols;
  const bool gated = model_.config.gated_mlp;
  AURUM_CHECK(stride == (gated ? 2 * width : width), "MLP of {} and {}", stride, width);
  scratch_.activated.resize(static_cast<std::size_t>(batch * width));
  parallel_for(batch, tokens_per_thread(width, 8), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const float* gate = scratch_.gate_up.data() + t * stride;
      activate(model_.config, gate, gated ? gate + width : nullptr, width,
               scratch_.activated.data() + t * width);
    }
  });
  product(mlp.down, scratch_.activated, batch, out);
}

// Each expert runs once, on the tokens that chose it; a token adds its experts up in their order.
void Decoder::run_experts(const DecoderLayer& layer, std::int64_t batch) {
  const auto hidden = static_cast<std::size_t>(model_.config.hidden_size);
  const std::int64_t num_routes =
      product(layer.router, scratch_.normed, batch, scratch_.router_logits);
  std::vector<std::vector<Route>> routes(layer.experts.size());
  for (std::int64_t t = 0; t < batch; ++t) {
    const std::span<float> logits(scratch_.router_logits.data() + t * num_routes,
                                  layer.experts.size());
    choose_experts(*model_.config.experts, t, logits, routes);
  }
  scratch_.branch.assign(static_cast<std::size_t>(batch) * hidden, 0.0f);
  for (std::size_t e = 0; e < layer.experts.size(); ++e) {
    if (routes[e].empty()) continue;
    scratch_.expert_input.resize(routes[e].size() * hidden);
    for (std::size_t i = 0; i < routes[e].size(); ++i) {
      std::copy_n(scratch_.normed.begin() + routes[e][i].token * model_.config.hidden_size, hidden,
                  scratch_.expert_input.begin() + static_cast<std::ptrdiff_t>(i * hidden));
    }
    run_mlp(layer.experts[e], scratch_.expert_input, static_cast<std::int64_t>(routes[e].size()),
            scratch_.expert_output);
    for (std::size_t i = 0; i < routes[e].size(); ++i) {
      float* to = scratch_.branch.data() + routes[e][i].token * model_.config.hidden_size;
      const float* from = scratch_.expert_output.data() + i * hidden;
      for (std::size_t d = 0; d < hidden; ++d) to[d] += routes[e][i].weight * from[d];
    }
  }
}

void Decoder::add_branch(const NormWeights& post_norm, std::int64_t batch) {
  if (!post_norm.weight.empty()) {
    norm_rows(post_norm, batch, scratch_.branch.data(), scratch_.branch.data());
  }
  const std::int64_t hidden = model_.config.hidden_size;
  parallel_for(batch, tokens_per_thread(hidden), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin * hidden; i < end * hidden; ++i) {
      scratch_.residual[i] += scratch_.branch[i];
    }
  });
}

void Decoder::norm_rows(const NormWeights& norm, std::int64_t batch, const float* in,
                        float* out) const {
  const std::int64_t hidden = model_.config.hidden_size;
  parallel_for(batch, tokens_per_thread(hidden), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      norm_row(norm, hidden, in + t * hidden, out + t * hidden);
    }
  });
}

void Decoder::norm_row(const NormWeights& norm, std::int64_t size, const float* in,
                       float* out) const {
  const auto eps = static_cast<float>(model_.config.norm_eps);
  if (model_.config.layer_norm) {
    kernels::layer_norm(in, norm.weight.data(), norm.bias.empty() ? nullptr : norm.bias.data(), eps,
                        size, out);
  } else {
    kernels::rms_norm(in, norm.weight.data(), eps, size, out);
  }
}

std::span<float> Decoder::run_head(std::span<const DecodeToken> tokens) {
  const std::int64_t hidden = model_.config.hidden_size;
  std::int64_t count = 0;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    if (!tokens[t].wants_logits) continue;
    norm_row(model_.final_norm, hidden,
             scratch_.residual.data() + static_cast<std::int64_t>(t) * hidden,
             scratch_.normed.data() + count * hidden);
    ++count;
  }
  if (count == 0) return {};
  const std::int64_t width = product(model_.head, scratch_.normed, count, scratch_.logits);
  const std::span<float> logits(scratch_.logits.data(), static_cast<std::size_t>(count * width));
  if (const auto cap = model_.config.final_logit_softcap) {
    const auto c = static_cast<float>(*cap);
    parallel_for(static_cast<std::int64_t>(logits.size()), 4096,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     logits[i] = c * std::tanh(logits[i] / c);
                   }
                 });
  }
  return logits;
}

}  // namespace aurum::rollout

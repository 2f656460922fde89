// Blocks of 64 queries against all keys that they see: the scores of a block fit into the cache, so
// the softmax needs no running rescale. With P = softmax(S), S = scale q k^T (soft-capped):
//   dV = P^T dO,  dP = dO V^T,  dS = P (dP - sum(dO O)) scale,  dQ = dS K,  dK = dS^T Q.

#include "kernels/row_attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "kernels/packed_product.h"
#include "kernels/run_with.h"
#include "kernels/typed_lanes.h"

namespace aurum::kernels {

namespace {

constexpr std::int64_t kQueries = 64;  // per block

// The queries [begin, end) of a row and the keys [first_key, first_key + num_keys) that cover what
// they see; both key bounds are multiples of 16.
struct Block {
  std::int64_t begin = 0, end = 0, first_key = 0, num_keys = 0;

  std::int64_t size() const { return end - begin; }
};

Block block_at(std::int64_t begin, std::int64_t length, std::int64_t window) {
  Block block{.begin = begin, .end = std::min(begin + kQueries, length)};
  const std::int64_t oldest = window > 0 ? std::max<std::int64_t>(0, begin - window + 1) : 0;
  block.first_key = oldest / kColumnChunk * kColumnChunk;
  block.num_keys = round_up(block.end - block.first_key, kColumnChunk);
  return block;
}

// Rotates pairs (x[i], x[i + half]) of one head by the angles of its token, or back.
template <typename From, typename To>
AURUM_FORCE_INLINE void rotate(const From* from, const float* cos, const float* sin,
                               std::int64_t half, float direction, To* to) {
  for_lanes(
      half, [&](std::int64_t i, std::int64_t n) __attribute__((always_inline)) {
        FloatLanes first, second, c, s;
        load_some(from + i, n, first);
        load_some(from + half + i, n, second);
        load_some(cos + i, n, c);
        load_some(sin + i, n, s);
        s *= direction;
        store_some(first * c - second * s, n, to + i);
        store_some(second * c + first * s, n, to + half + i);
      });
}

// to = from * factor, in the type of `to`.
template <typename To>
AURUM_FORCE_INLINE void store_scaled(const float* from, float factor, std::int64_t size, To* to) {
  for_lanes(
      size, [&](std::int64_t i, std::int64_t n) __attribute__((always_inline)) {
        FloatLanes values;
        load_some(from + i, n, values);
        store_some(values * factor, n, to + i);
      });
}

// One head of one row, copied (and rotated) to [length, head_dim padded to 16 with zeros].
template <typename T>
struct HeadRows {
  std::vector<T> values;
  std::int64_t stride = 0;

  void load(const RowAttention& attention, const T* source, std::int64_t source_stride,
            std::int64_t first_token, std::int64_t length, bool rotates, InstructionSet set) {
    const std::int64_t dim = attention.head_dim;
    const std::int64_t half = rotates && attention.cos ? attention.rotary_half : 0;
    stride = round_up(dim, kColumnChunk);
    values.assign(static_cast<std::size_t>(stride == dim ? 0 : length * stride), T{});
    values.resize(static_cast<std::size_t>(length * stride));
    run_with(
        set, [&]() __attribute__((always_inline)) {
          for (std::int64_t t = 0; t < length; ++t) {
            const T* from = source + t * source_stride;
            T* to = values.data() + t * stride;
            const std::int64_t angles = (first_token + t) * half;
            if (half > 0) rotate(from, attention.cos + angles, attention.sin + angles, half, 1, to);
            std::copy(from + 2 * half, from + dim, to + 2 * half);
          }
        });
  }
};

// Undoes the rotation of a gradient and writes it to its place.
template <typename T>
void store_gradient(const RowAttention& attention, const float* gradient, std::int64_t stride,
                    std::int64_t first_token, std::int64_t length, bool rotated, T* target,
                    InstructionSet set) {
  const std::int64_t half = rotated && attention.cos ? attention.rotary_half : 0;
  run_with(
      set, [&]() __attribute__((always_inline)) {
        for (std::int64_t t = 0; t < length; ++t) {
          const float* from = gradient + t * stride;
          T* to = target + t * attention.qkv_stride();
          const std::int64_t angles = (first_token + t) * half;
          if (half > 0) rotate(from, attention.cos + angles, attention.sin + angles, half, -1, to);
          store_scaled(from + 2 * half, 1.0f, attention.head_dim - 2 * half, to + 2 * half);
        }
      });
}

// Memory of one thread, grown as needed.
template <typename T>
struct Workspace {
  HeadRows<T> q, k, v, out_gradient;
  std::vector<T> packed_keys, packed_values, packed_value_columns, packed_key_rows;
  std::vector<T> packed_right, transposed_left;
  std::vector<T> probabilities, score_gradients;
  std::vector<float> scores, probability_gradients, block_out;
  std::vector<float> key_gradient, value_gradient, query_gradient;
};

template <typename V>
auto* grown(std::vector<V>& buffer, std::int64_t size) {
  if (buffer.size() < static_cast<std::size_t>(size)) buffer.resize(static_cast<std::size_t>(size));
  return buffer.data();
}

// scores [queries, keys] of a block, before scale.
template <typename T>
void score_block(const Block& block, const HeadRows<T>& q, const T* packed_keys,
                 ProductFunction<T> product, float* scores) {
  product({.a = {.data = q.values.data() + block.begin * q.stride, .row_stride = q.stride},
           .packed = packed_keys + block.first_key * q.stride,
           .chunk_stride = q.stride * kColumnChunk,
           .rows = block.size(),
           .k = q.stride,
           .columns = block.num_keys,
           .out = scores,
           .out_stride = block.num_keys});
}

// The columns of a block's score row that query `i` (of the row) sees.
struct Visible {
  std::int64_t begin, end;
};
Visible visible(const RowAttention& attention, const Block& block, std::int64_t i) {
  const std::int64_t oldest =
      attention.window > 0 ? std::max<std::int64_t>(0, i - attention.window + 1) : 0;
  return {oldest - block.first_key, i + 1 - block.first_key};
}

// Scales and caps in place; hidden columns become very negative.
AURUM_FORCE_INLINE void finish_scores(const RowAttention& attention, Visible range,
                                      std::int64_t num_keys, float* scores) {
  for (std::int64_t j = 0; j < num_keys; ++j) scores[j] *= attention.scale;
  if (attention.softcap > 0) {
    for (std::int64_t j = range.begin; j < range.end; ++j) {
      scores[j] = attention.softcap * std::tanh(scores[j] / attention.softcap);
    }
  }
  constexpr float kHidden = -1e30f;
  for (std::int64_t j = 0; j < range.begin; ++j) scores[j] = kHidden;
  for (std::int64_t j = range.end; j < num_keys; ++j) scores[j] = kHidden;
}

// probabilities = exp(score - shift), zero where hidden; returns their sum.
template <typename T>
AURUM_FORCE_INLINE float exponentials(const float* scores, std::int64_t num_keys, float shift,
                                      T* probabilities) {
  FloatLanes sums = {};
  for (std::int64_t j = 0; j < num_keys; j += kLanes) {
    FloatLanes x;
    load_lanes(scores + j, x);
    x -= shift;
    const IntLanes hidden = x < -80.0f;
    exp_lanes(x);
    x = hidden ? FloatLanes{} : x;
    store_rounded(x, probabilities + j);
    sums += x;
  }
  return sum_lanes(sums);
}

// One query head of one row.
template <typename T>
struct HeadTask {
  const RowAttention& attention;
  std::int64_t first_token, length, head;
  ProductFunction<T> product;
  InstructionSet set;
};

template <typename T>
void softmax_block(const HeadTask<T>& task, const Block& block, Workspace<T>& work,
                   float* inverse_sums, float* log_sums) {
  const RowAttention& attention = task.attention;
  run_with(
      task.set, [&]() __attribute__((always_inline)) {
        for (std::int64_t i = 0; i < block.size(); ++i) {
          const Visible range = visible(attention, block, block.begin + i);
          float* scores = work.scores.data() + i * block.num_keys;
          finish_scores(attention, range, block.num_keys, scores);
          float largest = largest_of(scores, block.num_keys);
          if (attention.sinks) largest = std::max(largest, attention.sinks[task.head]);
          float sum = exponentials(scores, block.num_keys, largest,
                                   work.probabilities.data() + i * block.num_keys);
          if (attention.sinks) sum += std::exp(attention.sinks[task.head] - largest);
          inverse_sums[i] = 1.0f / sum;
          log_sums[(task.first_token + block.begin + i) * attention.num_heads + task.head] =
              largest + std::log(sum);
        }
      });
}

template <typename T>
void forward_block(const HeadTask<T>& task, const Block& block, Workspace<T>& work, T* out,
                   float* log_sums) {
  const std::int64_t stride = work.q.stride, dim = task.attention.head_dim;
  const std::int64_t padded_length = round_up(task.length, kColumnChunk);
  grown(work.scores, block.size() * block.num_keys);
  grown(work.probabilities, block.size() * block.num_keys);
  score_block(block, work.q, work.packed_keys.data(), task.product, work.scores.data());
  float inverse_sums[kQueries];
  softmax_block(task, block, work, inverse_sums, log_sums);
  float* mixed = grown(work.block_out, kQueries * stride);
  task.product({.a = {.data = work.probabilities.data(), .row_stride = block.num_keys},
                .packed = work.packed_values.data() + block.first_key * kColumnChunk,
                .chunk_stride = padded_length * kColumnChunk,
                .rows = block.size(),
                .k = block.num_keys,
                .columns = stride,
                .out = mixed,
                .out_stride = stride});
  run_with(
      task.set, [&]() __attribute__((always_inline)) {
        for (std::int64_t i = 0; i < block.size(); ++i) {
          const std::int64_t token = task.first_token + block.begin + i;
          store_scaled(mixed + i * stride, inverse_sums[i], dim,
                       out + token * task.attention.out_stride() + task.head * dim);
        }
      });
}

// Loads what all heads of a group share: keys and values of one row.
template <typename T>
void load_keys(const RowAttention& attention, const T* qkv, std::int64_t first_token,
               std::int64_t length, std::int64_t kv_head, Workspace<T>& work, InstructionSet set) {
  const std::int64_t stride = attention.qkv_stride(), dim = attention.head_dim;
  const T* row = qkv + first_token * stride + attention.num_heads * dim;
  work.k.load(attention, row + kv_head * dim, stride, first_token, length, true, set);
  work.v.load(attention, row + (attention.num_kv_heads + kv_head) * dim, stride, first_token,
              length, false, set);
  pack_columns(work.k.values.data(), work.k.stride, work.k.stride, length,
               grown(work.packed_keys, packed_size(work.k.stride, length)));
}

template <typename T>
void forward_group(const RowAttention& attention, std::size_t row, std::int64_t kv_head,
                   const T* qkv, T* out, float* log_sums, InstructionSet set) {
  thread_local Workspace<T> work;
  const std::int64_t first = attention.row_offsets[row];
  const std::int64_t length = attention.row_offsets[row + 1] - first;
  const std::int64_t group = attention.num_heads / attention.num_kv_heads;
  load_keys(attention, qkv, first, length, kv_head, work, set);
  pack_rows(work.v.values.data(), work.v.stride, length, work.v.stride,
            grown(work.packed_values, packed_size(length, work.v.stride)), set);
  for (std::int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const HeadTask<T> task{attention, first, length, head, choose_product<T>(set), set};
    work.q.load(attention, qkv + first * attention.qkv_stride() + head * attention.head_dim,
                attention.qkv_stride(), first, length, true, set);
    for (std::int64_t begin = 0; begin < length; begin += kQueries) {
      forward_block(task, block_at(begin, length, attention.window), work, out, log_sums);
    }
  }
}

// probabilities and score gradients of one block, and both transposed: [keys, 64].
template <typename T>
void differentiate_scores(const HeadTask<T>& task, const Block& block, Workspace<T>& work,
                          const float* log_sums, const float* deltas) {
  const RowAttention& attention = task.attention;
  const std::int64_t n = block.num_keys;
  run_with(
      task.set, [&]() __attribute__((always_inline)) {
        for (std::int64_t i = 0; i < block.size(); ++i) {
          const Visible range = visible(attention, block, block.begin + i);
          float* scores = work.scores.data() + i * n;
          finish_scores(attention, range, n, scores);
          T* probabilities = work.probabilities.data() + i * n;
          const float shift =
              log_sums[(task.first_token + block.begin + i) * attention.num_heads + task.head];
          exponentials(scores, n, shift, probabilities);
          const float* gradient = work.probability_gradients.data() + i * n;
          for (std::int64_t j = 0; j < n; j += kLanes) {
            FloatLanes p, g, s;
            load_lanes(probabilities + j, p);
            load_lanes(gradient + j, g);
            load_lanes(scores + j, s);
            FloatLanes d = p * (g - deltas[i]) * attention.scale;
            if (attention.softcap > 0) {
              const FloatLanes t = s / attention.softcap;
              d = p > 0.0f ? d * (1.0f - t * t) : FloatLanes{};
            }
            store_rounded(d, work.score_gradients.data() + i * n + j);
          }
        }
      });
}

// deltas[i] = sum over the head of out * its gradient, for query i of the block.
template <typename T>
void sum_deltas(const HeadTask<T>& task, const Block& block, const HeadRows<T>& out_gradient,
                const T* out, float* deltas) {
  const std::int64_t dim = task.attention.head_dim;
  run_with(
      task.set, [&]() __attribute__((always_inline)) {
        for (std::int64_t i = 0; i < block.size(); ++i) {
          const std::int64_t token = task.first_token + block.begin + i;
          const T* o = out + token * task.attention.out_stride() + task.head * dim;
          const T* g = out_gradient.values.data() + (block.begin + i) * out_gradient.stride;
          FloatLanes sums = {};
          for_lanes(
              dim, [&](std::int64_t d, std::int64_t n) __attribute__((always_inline)) {
                FloatLanes x, y;
                load_some(o + d, n, x);
                load_some(g + d, n, y);
                sums += x * y;
              });
          deltas[i] = sum_lanes(sums);
        }
      });
}

template <typename T>
void backward_block(const HeadTask<T>& task, const Block& block, Workspace<T>& work, const T* out,
                    const float* log_sums) {
  const std::int64_t stride = work.q.stride, n = block.num_keys;
  const std::int64_t padded_length = round_up(task.length, kColumnChunk);
  for (auto* buffer : {&work.scores, &work.probability_gradients}) grown(*buffer, block.size() * n);
  for (auto* buffer : {&work.probabilities, &work.score_gradients}) {
    grown(*buffer, block.size() * n);
  }
  score_block(block, work.q, work.packed_keys.data(), task.product, work.scores.data());
  score_block(block, work.out_gradient, work.packed_value_columns.data(), task.product,
              work.probability_gradients.data());
  float deltas[kQueries];
  sum_deltas(task, block, work.out_gradient, out, deltas);
  differentiate_scores(task, block, work, log_sums, deltas);
  task.product({.a = {.data = work.score_gradients.data(), .row_stride = n},
                .packed = work.packed_key_rows.data() + block.first_key * kColumnChunk,
                .chunk_stride = padded_length * kColumnChunk,
                .rows = block.size(),
                .k = n,
                .columns = stride,
                .out = work.query_gradient.data() + block.begin * stride,
                .out_stride = stride});
  const auto add_transposed = [&](const std::vector<T>& left, const HeadRows<T>& right,
                                  std::vector<float>& sum) {
    pack_rows(right.values.data() + block.begin * stride, stride, block.size(), stride,
              grown(work.packed_right, packed_size(kQueries, stride)), task.set);
    task.product(
        {.a = transposed_factor(left.data(), block.size(), n, work.transposed_left, task.set),
         .packed = work.packed_right.data(),
         .chunk_stride = round_up(block.size(), kColumnChunk) * kColumnChunk,
         .rows = n,
         .k = round_up(block.size(), kPack<T>),
         .columns = stride,
         .out = sum.data() + block.first_key * stride,
         .out_stride = stride,
         .accumulates = true});
  };
  add_transposed(work.probabilities, work.out_gradient, work.value_gradient);
  add_transposed(work.score_gradients, work.q, work.key_gradient);
}

template <typename T>
void backward_group(const RowAttention& attention, std::size_t row, std::int64_t kv_head,
                    const T* qkv, const T* out, const float* log_sums, const T* out_gradient,
                    T* qkv_gradient, InstructionSet set) {
  thread_local Workspace<T> work;
  const std::int64_t first = attention.row_offsets[row], dim = attention.head_dim;
  const std::int64_t length = attention.row_offsets[row + 1] - first;
  const std::int64_t group = attention.num_heads / attention.num_kv_heads;
  load_keys(attention, qkv, first, length, kv_head, work, set);
  const std::int64_t stride = work.k.stride;
  pack_columns(work.v.values.data(), stride, stride, length,
               grown(work.packed_value_columns, packed_size(stride, length)));
  pack_rows(work.k.values.data(), stride, length, stride,
            grown(work.packed_key_rows, packed_size(length, stride)), set);
  const auto cleared = static_cast<std::size_t>(round_up(length, kColumnChunk) * stride);
  work.key_gradient.assign(cleared, 0.0f);
  work.value_gradient.assign(cleared, 0.0f);
  T* target = qkv_gradient + first * attention.qkv_stride();
  for (std::int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const HeadTask<T> task{attention, first, length, head, choose_product<T>(set), set};
    work.q.load(attention, qkv + first * attention.qkv_stride() + head * dim,
                attention.qkv_stride(), first, length, true, set);
    work.out_gradient.load(attention, out_gradient + first * attention.out_stride() + head * dim,
                           attention.out_stride(), first, length, false, set);
    grown(work.query_gradient, length * stride);
    for (std::int64_t begin = 0; begin < length; begin += kQueries) {
      backward_block(task, block_at(begin, length, attention.window), work, out, log_sums);
    }
    store_gradient(attention, work.query_gradient.data(), stride, first, length, true,
                   target + head * dim, set);
  }
  T* key_target = target + (attention.num_heads + kv_head) * dim;
  store_gradient(attention, work.key_gradient.data(), stride, first, length, true, key_target, set);
  store_gradient(attention, work.value_gradient.data(), stride, first, length, false,
                 key_target + attention.num_kv_heads * dim, set);
}

// Calls body(row, kv_head) for all of them, on all threads.
template <typename Body>
void for_each_group(const RowAttention& attention, const Body& body) {
  const auto rows = static_cast<std::int64_t>(attention.row_offsets.size()) - 1;
  parallel_for_each(rows * attention.num_kv_heads, [&](std::int64_t item) {
    body(static_cast<std::size_t>(item / attention.num_kv_heads), item % attention.num_kv_heads);
  });
}

}  // namespace

template <typename T>
void attend_rows(const RowAttention& attention, const T* qkv, T* out, float* log_sums,
                 InstructionSet set) {
  for_each_group(attention, [&](std::size_t row, std::int64_t kv_head) {
    forward_group(attention, row, kv_head, qkv, out, log_sums, set);
  });
}

template <typename T>
void attend_rows_backward(const RowAttention& attention, const T* qkv, const T* out,
                          const float* log_sums, const T* out_gradient, T* qkv_gradient,
                          InstructionSet set) {
  for_each_group(attention, [&](std::size_t row, std::int64_t kv_head) {
    backward_group(attention, row, kv_head, qkv, out, log_sums, out_gradient, qkv_gradient, set);
  });
}

template void attend_rows(const RowAttention&, const float*, float*, float*, InstructionSet);
template void attend_rows(const RowAttention&, const BFloat16*, BFloat16*, float*, InstructionSet);
template void attend_rows_backward(const RowAttention&, const float*, const float*, const float*,
                                   const float*, float*, InstructionSet);
template void attend_rows_backward(const RowAttention&, const BFloat16*, const BFloat16*,
                                   const float*, const BFloat16*, BFloat16*, InstructionSet);

}  // namespace aurum::kernels

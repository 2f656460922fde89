#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "base/error.h"
#include "kernels/bfloat16.h"
#include "kernels/lanes.h"

namespace aurum::kernels {

namespace {

constexpr std::int64_t kBlock = kLanes;  // positions per block of keys

std::int64_t round_up(std::int64_t value) { return (value + kBlock - 1) / kBlock * kBlock; }

std::size_t value_bytes(bool is_bfloat16) { return is_bfloat16 ? 2 : 4; }

void write_value(BFloat16* to, float value) { *to = to_bfloat16(value); }
void write_value(float* to, float value) { *to = value; }

template <typename T>
void store_head(T* keys, T* values, const AttentionShape& shape, std::int64_t position,
                const float* key, const float* value) {
  const std::int64_t padded = shape.padded_head_dim();
  T* key_block = keys + position / kBlock * kBlock * padded + position % kBlock * kPack<T>;
  T* value_row = values + position * padded;
  for (std::int64_t d = 0; d < shape.head_dim; ++d) {
    write_value(key_block + d / kPack<T> * kPack<T> * kBlock + d % kPack<T>, key[d]);
    write_value(value_row + d, value[d]);
  }
}

}  // namespace

KvCache::KvCache(const AttentionShape& shape, std::int64_t num_layers, std::int64_t capacity,
                 bool is_bfloat16)
    : shape_(shape),
      num_layers_(num_layers),
      capacity_(round_up(capacity)),
      is_bfloat16_(is_bfloat16) {
  const auto bytes = static_cast<std::size_t>(num_layers * shape.num_kv_heads * head_values()) *
                     value_bytes(is_bfloat16);
  keys_ = AlignedBuffer<std::byte>(bytes);
  values_ = AlignedBuffer<std::byte>(bytes);
}

void KvCache::store(std::int64_t layer, std::int64_t position, const float* keys,
                    const float* values) {
  AURUM_CHECK(position < capacity_, "position {} of {}", position, capacity_);
  for (std::int64_t head = 0; head < shape_.num_kv_heads; ++head) {
    const float* key = keys + head * shape_.head_dim;
    const float* value = values + head * shape_.head_dim;
    const std::int64_t first = offset(layer, head);
    if (is_bfloat16_) {
      store_head(reinterpret_cast<BFloat16*>(keys_.data()) + first,
                 reinterpret_cast<BFloat16*>(values_.data()) + first, shape_, position, key, value);
    } else {
      store_head(reinterpret_cast<float*>(keys_.data()) + first,
                 reinterpret_cast<float*>(values_.data()) + first, shape_, position, key, value);
    }
  }
}

void KvCache::copy_prefix(const KvCache& other, std::int64_t num_positions) {
  const std::int64_t positions = round_up(num_positions);
  AURUM_CHECK(positions <= capacity_ && positions <= other.capacity_);
  const std::size_t unit = value_bytes(is_bfloat16_);
  const std::size_t count = static_cast<std::size_t>(positions * shape_.padded_head_dim()) * unit;
  for (std::int64_t layer = 0; layer < num_layers_; ++layer) {
    for (std::int64_t head = 0; head < shape_.num_kv_heads; ++head) {
      const std::size_t to = static_cast<std::size_t>(offset(layer, head)) * unit;
      const std::size_t from = static_cast<std::size_t>(other.offset(layer, head)) * unit;
      std::memcpy(keys_.data() + to, other.keys_.data() + from, count);
      std::memcpy(values_.data() + to, other.values_.data() + from, count);
    }
  }
}

const void* KvCache::keys(std::int64_t layer, std::int64_t kv_head) const {
  return keys_.data() +
         static_cast<std::size_t>(offset(layer, kv_head)) * value_bytes(is_bfloat16_);
}
const void* KvCache::values(std::int64_t layer, std::int64_t kv_head) const {
  return values_.data() +
         static_cast<std::size_t>(offset(layer, kv_head)) * value_bytes(is_bfloat16_);
}

namespace {

constexpr std::int64_t kMixed = 2 * kLanes;  // dimensions of a value that are loaded together
constexpr int kMostHeads = 4;  // query heads that share a pass over their keys and values

// kHeads query heads of one group against the visible positions [begin, end). Each head is
// computed as if it were alone; together they load every key and value once.
template <typename T>
struct HeadsTask {
  const T* keys;
  const T* values;
  const float* query;  // heads lie head_dim apart, like their outputs
  float* out;
  float* scores;  // `stride` per head, from first_position() on
  std::int64_t stride, head_dim, padded_head_dim, begin, end;
  // Of the task to come, brought to the second cache meanwhile.
  const T* next_keys;
  const T* next_values;
  std::int64_t next_end;
  float scale, softcap;
  const float* sinks;  // of these heads, or null

  std::int64_t first_position() const { return begin / kBlock * kBlock; }
};

// Sixteen keys or values of two neighbouring dimensions.
AURUM_FORCE_INLINE void load_both(const BFloat16* from, FloatLanes& even, FloatLanes& odd) {
  load_pairs(from, even, odd);
}
AURUM_FORCE_INLINE void load_both(const float* from, FloatLanes& even, FloatLanes& odd) {
  load_lanes(from, even);
  load_lanes(from + kLanes, odd);
}

// Brings what load_both() would read at `index` of the next task's keys and values to the second
// cache. A few lines at a time: many at once would keep the loads of this task waiting.
template <typename T>
AURUM_FORCE_INLINE void prefetch_both(const HeadsTask<T>& task, std::int64_t index) {
  constexpr std::int64_t kLine = 64 / sizeof(T);
  for (std::int64_t i = index; i < index + 2 * kLanes; i += kLine) {
    __builtin_prefetch(task.next_keys + i, 0, 2);
    __builtin_prefetch(task.next_values + i, 0, 2);
  }
}

template <int kHeads, typename T>
AURUM_FORCE_INLINE void score_block(const HeadsTask<T>& task, std::int64_t position) {
  const std::int64_t block = position * task.padded_head_dim;
  const T* keys = task.keys + block;
  const bool looks_ahead = position < task.next_end;
  FloatLanes even[kHeads] = {}, odd[kHeads] = {};
  for (std::int64_t d = 0; d + 2 <= task.head_dim; d += 2) {
    FloatLanes first, second;
    if (looks_ahead) prefetch_both(task, block + d * kBlock);
    load_both(keys + d * kBlock, first, second);
#pragma GCC unroll 4
    for (int h = 0; h < kHeads; ++h) {
      even[h] += first * task.query[h * task.head_dim + d];
      odd[h] += second * task.query[h * task.head_dim + d + 1];
    }
  }
  if (task.head_dim % 2 != 0) {
    const std::int64_t d = task.head_dim - 1;
    FloatLanes last, none;
    load_both(keys + d * kBlock, last, none);
    for (int h = 0; h < kHeads; ++h) even[h] += last * task.query[h * task.head_dim + d];
  }
#pragma GCC unroll 4
  for (int h = 0; h < kHeads; ++h) {
    store_lanes((even[h] + odd[h]) * task.scale,
                task.scores + h * task.stride + position - task.first_position());
  }
}

// Hidden positions at both ends of one head's scores get -infinity. Returns the largest.
template <typename T>
AURUM_FORCE_INLINE float hide_and_cap(const HeadsTask<T>& task, float* scores, std::int64_t count) {
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  const std::int64_t first = task.first_position();
  if (task.softcap > 0) {
    for (std::int64_t i = 0; i < count; ++i) {
      scores[i] = task.softcap * std::tanh(scores[i] / task.softcap);
    }
  }
  std::fill(scores, scores + task.begin - first, kHidden);
  std::fill(scores + task.end - first, scores + count, kHidden);
  return largest_of(scores, count);
}

// Writes the first `count` of 32 values that were loaded by load_both.
template <typename T>
AURUM_FORCE_INLINE void store_both(const FloatLanes& even, const FloatLanes& odd,
                                   std::int64_t count, float* to) {
  float part[2][kLanes], both[2 * kLanes];
  store_lanes(even, part[0]);
  store_lanes(odd, part[1]);
  for (std::int64_t i = 0; i < 2 * kLanes; ++i) {
    both[i] = kPack<T> == 2 ? part[i % 2][i / 2] : part[i / kLanes][i % kLanes];
  }
  std::copy_n(both, std::clamp<std::int64_t>(count, 0, 2 * kLanes), to);
}

// out[d, d + 32 kChunks) = sum over positions of probability * value.
template <int kHeads, int kChunks, typename T>
AURUM_FORCE_INLINE void mix_values(const HeadsTask<T>& task, std::int64_t d,
                                   const float (&inverse_sums)[kHeads]) {
  FloatLanes even[kHeads][kChunks] = {}, odd[kHeads][kChunks] = {};
  const float* scores = task.scores - task.first_position();
  for (std::int64_t p = task.begin; p < task.end; ++p) {
    const T* row = task.values + p * task.padded_head_dim + d;
#pragma GCC unroll 8
    for (int c = 0; c < kChunks; ++c) {
      FloatLanes first, second;
      load_both(row + c * kMixed, first, second);
#pragma GCC unroll 4
      for (int h = 0; h < kHeads; ++h) {
        even[h][c] += first * scores[h * task.stride + p];
        odd[h][c] += second * scores[h * task.stride + p];
      }
    }
  }
  for (int h = 0; h < kHeads; ++h) {
    for (int c = 0; c < kChunks; ++c) {
      const std::int64_t start = d + c * kMixed;
      store_both<T>(even[h][c] * inverse_sums[h], odd[h][c] * inverse_sums[h],
                    task.head_dim - start, task.out + h * task.head_dim + start);
    }
  }
}

AURUM_FORCE_INLINE double exponentiate_body(float* values, std::int64_t count, float largest,
                                            float inverse_temperature) {
  double total = 0;
  FloatLanes sums = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    FloatLanes x;
    load_lanes(values + i, x);
    x = (x - largest) * inverse_temperature;
    exp_lanes(x);
    store_lanes(x, values + i);
    sums += x;
    if (i % 4096 == 0) {  // spill now and then, so that small terms are not lost
      total += static_cast<double>(sum_lanes(sums));
      sums = FloatLanes{};
    }
  }
  total += static_cast<double>(sum_lanes(sums));
  for (; i < count; ++i) {
    values[i] = std::exp((values[i] - largest) * inverse_temperature);
    total += static_cast<double>(values[i]);
  }
  return total;
}

template <int kHeads, typename T>
AURUM_FORCE_INLINE void attend_heads(const HeadsTask<T>& task) {
  const std::int64_t first = task.first_position();
  const std::int64_t count = (task.end + kBlock - 1) / kBlock * kBlock - first;
  for (std::int64_t p = first; p < task.end; p += kBlock) score_block<kHeads>(task, p);
  float inverse_sums[kHeads];
  for (int h = 0; h < kHeads; ++h) {
    float* scores = task.scores + h * task.stride;
    float largest = hide_and_cap(task, scores, count);
    if (task.sinks) largest = std::max(largest, task.sinks[h]);
    // A hidden score of -infinity becomes exp(-87), far below the last bit of a sum that is >= 1.
    double sum = exponentiate_body(scores, count, largest, 1.0f);
    if (task.sinks) sum += static_cast<double>(std::exp(task.sinks[h] - largest));
    inverse_sums[h] = static_cast<float>(1.0 / sum);
  }
  std::int64_t d = 0;
  for (; d + 2 * kMixed <= task.padded_head_dim; d += 2 * kMixed) {
    mix_values<kHeads, 2>(task, d, inverse_sums);
  }
  for (; d < task.padded_head_dim; d += kMixed) mix_values<kHeads, 1>(task, d, inverse_sums);
}

template <int kHeads, typename T>
void attend_plain(const HeadsTask<T>& task) {
  attend_heads<kHeads>(task);
}
template <int kHeads, typename T>
AURUM_TARGET_AVX2 void attend_avx2(const HeadsTask<T>& task) {
  attend_heads<kHeads>(task);
}
template <int kHeads, typename T>
AURUM_TARGET_AVX512 void attend_avx512(const HeadsTask<T>& task) {
  attend_heads<kHeads>(task);
}

template <int kHeads, typename T>
void run_heads(const HeadsTask<T>& task, InstructionSet set) {
  if (set >= InstructionSet::kAvx512) return attend_avx512<kHeads>(task);
  if (set == InstructionSet::kAvx2) return attend_avx2<kHeads>(task);
  attend_plain<kHeads>(task);
}

template <typename T>
void run_heads(const HeadsTask<T>& task, std::int64_t num_heads, InstructionSet set) {
  switch (num_heads) {
    case 1:
      return run_heads<1>(task, set);
    case 2:
      return run_heads<2>(task, set);
    case 3:
      return run_heads<3>(task, set);
    default:
      return run_heads<kMostHeads>(task, set);
  }
}

template <typename T>
void attend_group(const AttentionShape& shape, const KvCache& cache, std::int64_t layer,
                  std::int64_t kv_head, std::int64_t position, std::int64_t window,
                  const float* queries, float* out, std::span<float> scores, NextAttention next,
                  InstructionSet set) {
  const std::int64_t group = shape.num_heads / shape.num_kv_heads;
  HeadsTask<T> task{.keys = static_cast<const T*>(cache.keys(layer, kv_head)),
                    .values = static_cast<const T*>(cache.values(layer, kv_head)),
                    .query = nullptr,
                    .out = nullptr,
                    .scores = scores.data(),
                    .stride = static_cast<std::int64_t>(scores.size()) / kMostHeads,
                    .head_dim = shape.head_dim,
                    .padded_head_dim = shape.padded_head_dim(),
                    .begin = window > 0 ? std::max<std::int64_t>(0, position - window + 1) : 0,
                    .end = position + 1,
                    .next_keys = nullptr,
                    .next_values = nullptr,
                    .next_end = 0,
                    .scale = shape.scale,
                    .softcap = shape.softcap,
                    .sinks = nullptr};
  if (next.cache != nullptr) {
    task.next_keys = static_cast<const T*>(next.cache->keys(layer, next.kv_head));
    task.next_values = static_cast<const T*>(next.cache->values(layer, next.kv_head));
    task.next_end = next.cache->capacity();
  }
  const std::int64_t last = (kv_head + 1) * group;
  for (std::int64_t head = kv_head * group; head < last; head += kMostHeads) {
    task.query = queries + head * shape.head_dim;
    task.out = out + head * shape.head_dim;
    task.sinks = shape.sinks ? shape.sinks + head : nullptr;
    run_heads(task, std::min<std::int64_t>(kMostHeads, last - head), set);
    task.next_end = 0;
  }
}

double exponentiate_plain(float* v, std::int64_t n, float largest, float inverse) {
  return exponentiate_body(v, n, largest, inverse);
}
AURUM_TARGET_AVX2 double exponentiate_avx2(float* v, std::int64_t n, float largest, float inverse) {
  return exponentiate_body(v, n, largest, inverse);
}
AURUM_TARGET_AVX512 double exponentiate_avx512(float* v, std::int64_t n, float largest,
                                               float inverse) {
  return exponentiate_body(v, n, largest, inverse);
}

}  // namespace

void attend(const AttentionShape& shape, const KvCache& cache, std::int64_t layer,
            std::int64_t kv_head, std::int64_t position, std::int64_t window, const float* queries,
            float* out, std::vector<float>& scratch, NextAttention next, InstructionSet set) {
  const auto needed = static_cast<std::size_t>(kMostHeads * round_up(position + 1));
  if (scratch.size() < needed) scratch.resize(needed);
  if (cache.is_bfloat16()) {
    attend_group<BFloat16>(shape, cache, layer, kv_head, position, window, queries, out,
                           std::span(scratch.data(), needed), next, set);
  } else {
    attend_group<float>(shape, cache, layer, kv_head, position, window, queries, out,
                        std::span(scratch.data(), needed), next, set);
  }
}

double exponentiate(float* values, std::int64_t count, float largest, float temperature,
                    InstructionSet set) {
  const float inverse = 1.0f / temperature;
  if (set >= InstructionSet::kAvx512) return exponentiate_avx512(values, count, largest, inverse);
  if (set == InstructionSet::kAvx2) return exponentiate_avx2(values, count, largest, inverse);
  return exponentiate_plain(values, count, largest, inverse);
}

}  // namespace aurum::kernels

#include "model/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "model/kernels/bfloat16.h"
#include "model/kernels/lanes.h"

namespace aurum::model {

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
  T* key_block = keys + position / kBlock * kBlock * padded + position % kBlock;
  T* value_row = values + position * padded;
  for (std::int64_t d = 0; d < shape.head_dim; ++d) {
    write_value(key_block + d * kBlock, key[d]);
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
  keys_.resize(bytes);
  values_.resize(bytes);
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

// One query head against the visible positions [begin, end).
template <typename T>
struct HeadTask {
  const T* keys;
  const T* values;
  const float* query;
  float* out;
  float* scores;  // one per position from `first_block_position`
  std::int64_t head_dim, padded_head_dim, begin, end;
  float scale, softcap;
  const float* sink;  // of this head, or null

  std::int64_t first_position() const { return begin / kBlock * kBlock; }
};

template <typename T>
AURUM_FORCE_INLINE void score_block(const HeadTask<T>& task, std::int64_t position) {
  const T* keys = task.keys + position * task.padded_head_dim;
  FloatLanes even = {}, odd = {};
  std::int64_t d = 0;
  for (; d + 2 <= task.head_dim; d += 2) {
    FloatLanes key;
    load_lanes(keys + d * kBlock, key);
    even += key * task.query[d];
    load_lanes(keys + (d + 1) * kBlock, key);
    odd += key * task.query[d + 1];
  }
  if (d < task.head_dim) {
    FloatLanes key;
    load_lanes(keys + d * kBlock, key);
    even += key * task.query[d];
  }
  store_lanes((even + odd) * task.scale, task.scores + position - task.first_position());
}

// Fills the scores; hidden positions at both ends get -infinity. Returns the largest.
template <typename T>
AURUM_FORCE_INLINE float score(const HeadTask<T>& task) {
  const std::int64_t first = task.first_position();
  const std::int64_t last = (task.end + kBlock - 1) / kBlock * kBlock;
  for (std::int64_t position = first; position < last; position += kBlock) {
    score_block(task, position);
  }
  for (std::int64_t p = first; p < task.begin; ++p) {
    task.scores[p - first] = -std::numeric_limits<float>::infinity();
  }
  for (std::int64_t p = task.end; p < last; ++p) {
    task.scores[p - first] = -std::numeric_limits<float>::infinity();
  }
  float largest = -std::numeric_limits<float>::infinity();
  for (std::int64_t p = task.begin; p < task.end; ++p) {
    float& s = task.scores[p - first];
    if (task.softcap > 0) s = task.softcap * std::tanh(s / task.softcap);
    largest = std::max(largest, s);
  }
  return largest;
}

// out[d, d + 16 kChunks) = sum over positions of probability * value.
template <int kChunks, typename T>
AURUM_FORCE_INLINE void mix_values(const HeadTask<T>& task, std::int64_t d, float inverse_sum) {
  FloatLanes sums[kChunks] = {};
  const float* scores = task.scores - task.first_position();
  for (std::int64_t p = task.begin; p < task.end; ++p) {
    const T* row = task.values + p * task.padded_head_dim + d;
#pragma GCC unroll 8
    for (int c = 0; c < kChunks; ++c) {
      FloatLanes value;
      load_lanes(row + c * kLanes, value);
      sums[c] += value * scores[p];
    }
  }
  for (int c = 0; c < kChunks; ++c) {
    float part[kLanes];
    store_lanes(sums[c] * inverse_sum, part);
    const std::int64_t start = d + c * kLanes;
    for (std::int64_t i = 0; i < kLanes && start + i < task.head_dim; ++i) {
      task.out[start + i] = part[i];
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

template <typename T>
AURUM_FORCE_INLINE void attend_head(const HeadTask<T>& task) {
  float largest = score(task);
  if (task.sink) largest = std::max(largest, *task.sink);
  const std::int64_t count = (task.end + kBlock - 1) / kBlock * kBlock - task.first_position();
  // A hidden score of -infinity becomes exp(-87), far below the last bit of a sum that is >= 1.
  double sum = exponentiate_body(task.scores, count, largest, 1.0f);
  if (task.sink) sum += static_cast<double>(std::exp(*task.sink - largest));
  const auto inverse_sum = static_cast<float>(1.0 / sum);
  std::int64_t d = 0;
  for (; d + 4 * kLanes <= task.padded_head_dim; d += 4 * kLanes) {
    mix_values<4>(task, d, inverse_sum);
  }
  for (; d < task.padded_head_dim; d += kLanes) mix_values<1>(task, d, inverse_sum);
}

template <typename T>
void attend_plain(const HeadTask<T>& task) {
  attend_head(task);
}
template <typename T>
AURUM_TARGET_AVX2 void attend_avx2(const HeadTask<T>& task) {
  attend_head(task);
}
template <typename T>
AURUM_TARGET_AVX512 void attend_avx512(const HeadTask<T>& task) {
  attend_head(task);
}

template <typename T>
void run_head(const HeadTask<T>& task, InstructionSet set) {
  if (set >= InstructionSet::kAvx512) return attend_avx512(task);
  if (set == InstructionSet::kAvx2) return attend_avx2(task);
  attend_plain(task);
}

template <typename T>
void attend_group(const AttentionShape& shape, const KvCache& cache, std::int64_t layer,
                  std::int64_t kv_head, std::int64_t position, std::int64_t window,
                  const float* queries, float* out, float* scores, InstructionSet set) {
  const std::int64_t group = shape.num_heads / shape.num_kv_heads;
  HeadTask<T> task{.keys = static_cast<const T*>(cache.keys(layer, kv_head)),
                   .values = static_cast<const T*>(cache.values(layer, kv_head)),
                   .query = nullptr,
                   .out = nullptr,
                   .scores = scores,
                   .head_dim = shape.head_dim,
                   .padded_head_dim = shape.padded_head_dim(),
                   .begin = window > 0 ? std::max<std::int64_t>(0, position - window + 1) : 0,
                   .end = position + 1,
                   .scale = shape.scale,
                   .softcap = shape.softcap,
                   .sink = nullptr};
  for (std::int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    task.query = queries + head * shape.head_dim;
    task.out = out + head * shape.head_dim;
    task.sink = shape.sinks ? shape.sinks + head : nullptr;
    run_head(task, set);
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
            float* out, std::vector<float>& scratch, InstructionSet set) {
  const auto needed = static_cast<std::size_t>(round_up(position + 1));
  if (scratch.size() < needed) scratch.resize(needed);
  if (cache.is_bfloat16()) {
    attend_group<BFloat16>(shape, cache, layer, kv_head, position, window, queries, out,
                           scratch.data(), set);
  } else {
    attend_group<float>(shape, cache, layer, kv_head, position, window, queries, out,
                        scratch.data(), set);
  }
}

double exponentiate(float* values, std::int64_t count, float largest, float temperature,
                    InstructionSet set) {
  const float inverse = 1.0f / temperature;
  if (set >= InstructionSet::kAvx512) return exponentiate_avx512(values, count, largest, inverse);
  if (set == InstructionSet::kAvx2) return exponentiate_avx2(values, count, largest, inverse);
  return exponentiate_plain(values, count, largest, inverse);
}

}  // namespace aurum::model

#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/instruction_set.h"

namespace aurum::kernels {

struct AttentionShape {
  std::int64_t num_heads = 0, num_kv_heads = 0, head_dim = 0;
  float scale = 1.0f;    // multiplies q.k
  float softcap = 0.0f;  // s -> c tanh(s / c); 0 = off
  // [num_heads] logits of one more softmax column that carries no value; null = none.
  const float* sinks = nullptr;

  std::int64_t padded_head_dim() const { return (head_dim + 31) / 32 * 32; }
};

// Keys and values of one sequence for every layer, in bfloat16 or float32. Keys lie in blocks of
// 16 positions with the position fastest, so that a vector holds one dimension of 16 keys (a pair
// of dimensions in bfloat16) and scores need no sum across lanes; values are plain rows.
class KvCache {
 public:
  KvCache(const AttentionShape& shape, std::int64_t num_layers, std::int64_t capacity,
          bool is_bfloat16);

  std::int64_t capacity() const { return capacity_; }
  // Writes the keys and values [num_kv_heads, head_dim] of one position.
  void store(std::int64_t layer, std::int64_t position, const float* keys, const float* values);
  // Takes over everything that `other`, of the same shape but any capacity, holds below
  // `num_positions`.
  void copy_prefix(const KvCache& other, std::int64_t num_positions);

  const void* keys(std::int64_t layer, std::int64_t kv_head) const;
  const void* values(std::int64_t layer, std::int64_t kv_head) const;
  bool is_bfloat16() const { return is_bfloat16_; }

 private:
  std::int64_t head_values() const { return capacity_ * shape_.padded_head_dim(); }
  std::int64_t offset(std::int64_t layer, std::int64_t kv_head) const {
    return (layer * shape_.num_kv_heads + kv_head) * head_values();
  }

  AttentionShape shape_;
  std::int64_t num_layers_, capacity_;  // capacity: a multiple of 16
  bool is_bfloat16_;
  AlignedBuffer<std::byte> keys_, values_;  // [layers, kv_heads, capacity * padded_head_dim]
};

// Keys and values that are needed next.
struct NextAttention {
  const KvCache* cache = nullptr;  // null: nothing to prepare
  std::int64_t kv_head = 0;
};

// Causal attention of the query heads that share `kv_head`, for one token: keys in
// (position - window, position], all up to position when window is 0.
//   queries, out [num_heads, head_dim] of this token; `scratch` grows as needed.
// What `next` names, at the same positions, is brought to the cache meanwhile: read when it is
// needed, it would be waited for half of the time.
void attend(const AttentionShape& shape, const KvCache& cache, std::int64_t layer,
            std::int64_t kv_head, std::int64_t position, std::int64_t window, const float* queries,
            float* out, std::vector<float>& scratch, NextAttention next = {},
            InstructionSet set = best_instruction_set());

// values[i] = exp((values[i] - largest) / temperature) and the sum of the results in double.
double exponentiate(float* values, std::int64_t count, float largest, float temperature,
                    InstructionSet set = best_instruction_set());

}  // namespace aurum::kernels

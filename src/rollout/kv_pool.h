#pragma once

#include <algorithm>
#include <cstdint>

#include "rollout/decoder.h"

namespace aurum::rollout {

// How the keys and values of running sequences get their memory.
struct KvMemory {
  std::int64_t budget_bytes = 0;  // of all of them together; 0: no limit
  // false: a sequence reserves its longest possible length when it begins. true: its cache grows
  // block by block; when the budget is used up, the youngest sequence makes room and is run again
  // later, from where it was.
  bool is_paged = false;
};

// What one position takes in a cache of Decoder::make_cache(), over all layers.
inline std::int64_t kv_bytes_per_position(const weights::ModelConfig& config, bool is_bfloat16) {
  const kernels::AttentionShape shape{.head_dim = config.head_dim};
  const std::int64_t values = config.num_layers * config.num_kv_heads * shape.padded_head_dim();
  return 2 * values * (is_bfloat16 ? 2 : 4);
}

// Keeps count of positions of keys and values in use.
class KvPool {
 public:
  static constexpr std::int64_t kBlock = 64;  // positions that a paged cache grows by

  KvPool(const KvMemory& memory, std::int64_t bytes_per_position)
      : limit_(memory.budget_bytes == 0 ? kNoLimit : memory.budget_bytes / bytes_per_position) {}

  // What a cache for `positions` takes.
  static std::int64_t whole_blocks(std::int64_t positions) {
    return (positions + kBlock - 1) / kBlock * kBlock;
  }

  bool can_ever_hold(std::int64_t positions) const { return positions <= limit_; }
  // False, and nothing is taken, when they are not free.
  bool take(std::int64_t positions) {
    if (used_ + positions > limit_) return false;
    used_ += positions;
    peak_ = std::max(peak_, used_);
    return true;
  }
  void give_back(std::int64_t positions) { used_ -= positions; }

  std::int64_t used() const { return used_; }
  std::int64_t peak() const { return peak_; }

 private:
  static constexpr std::int64_t kNoLimit = std::int64_t{1} << 60;

  std::int64_t limit_, used_ = 0, peak_ = 0;
};

}  // namespace aurum::rollout

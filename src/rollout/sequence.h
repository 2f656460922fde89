#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/random_stream.h"
#include "rollout/decoder.h"
#include "rollout/guided/token_guide.h"
#include "rollout/rollout_source.h"

namespace aurum::rollout {

// One request on its way: `ids` is the prompt and what was sampled; all but the last id of a
// running sequence are in the cache.
struct Sequence {
  std::size_t request_index;
  const RolloutRequest* request;
  std::vector<std::int32_t> ids;
  std::int64_t max_new_tokens;
  RandomStream random;
  kernels::KvCache cache;
  std::int64_t rotary_key;
  std::shared_ptr<const std::vector<float>> first_logits =
      nullptr;            // after what ran from the start
  bool is_rerun = false;  // made room before: it starts behind its prompt
  TokenGuide* guide = nullptr;
  TokenGuide::State guide_state = {};
  std::shared_ptr<const TokenGuide::Ids> allowed = nullptr;  // of the next draw, with a guide

  std::int64_t num_new() const {
    return static_cast<std::int64_t>(ids.size() - request->prompt_ids.size());
  }
};

}  // namespace aurum::rollout

#pragma once

#include <cstdint>

#include "rollout/decoder.h"
#include "rollout/kv_pool.h"
#include "rollout/rollout_source.h"

namespace aurum::rollout {

// New tokens of a request that fit: learned positions end somewhere, rotary ones do not.
std::int64_t room_for(const RolloutRequest& request, const Decoder& decoder);

// Positions of a sequence that uses all its room.
std::int64_t longest_length(const RolloutRequest& request, const Decoder& decoder);

// Throws InputError for a request that this decoder can never answer with this memory.
void check_request(const RolloutRequest& request, const Decoder& decoder, const KvMemory& memory,
                   std::int64_t kv_bytes_per_position);

}  // namespace aurum::rollout

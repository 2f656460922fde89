#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace aurum::rollout {

struct SamplingParams {
  double temperature = 1.0;  // 0 = greedy
  double top_p = 1.0;
  std::int64_t top_k = 0;  // 0 = off
  std::int64_t max_new_tokens = 128;
  std::string regex;  // what a finished completion has to match as a whole; empty: anything
};

struct RolloutRequest {
  std::vector<std::int32_t> prompt_ids;
  SamplingParams sampling;
  // The request's own random stream is RandomStream(seed, "rollout", stream_index): the same
  // request gives the same completion whichever batch it is in.
  std::uint64_t seed = 0;
  std::uint64_t stream_index = 0;
};

enum class FinishReason { kEndOfTurn, kLength };

struct Rollout {
  std::vector<std::int32_t> completion_ids;  // closing end-of-turn id included
  FinishReason finish_reason = FinishReason::kLength;
};

// Called for each new token as it is sampled, in order within a request. Returning false stops all.
using TokenCallback = std::function<bool(std::size_t request_index, std::int32_t token_id)>;

// Where completions come from. The trainer cannot tell a local engine from a remote one.
class RolloutSource {
 public:
  virtual ~RolloutSource() = default;
  // One completion per request, in order. Blocks until all are done.
  virtual std::vector<Rollout> generate(std::span<const RolloutRequest> requests,
                                        const TokenCallback& on_token = {}) = 0;
  // The student's weights changed: take them over before the next generate().
  virtual void sync_weights() = 0;
  // Gives back the memory that only generate() needs; the next one takes it again.
  virtual void sleep() {}
  // A run goes on after `num_updates` of the student's weights: take them over as they are.
  virtual void resume(std::int64_t num_updates) {
    static_cast<void>(num_updates);
    sync_weights();
  }
};

}  // namespace aurum::rollout

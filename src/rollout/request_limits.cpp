#include "rollout/request_limits.h"

#include <algorithm>

#include "base/error.h"
#include "rollout/sampler.h"

namespace aurum::rollout {

namespace {

void check_prompt(const RolloutRequest& request, const Decoder& decoder) {
  if (request.prompt_ids.empty()) {
    throw InputError("a prompt has no tokens: give it at least one (a BOS or a chat template)");
  }
  for (const std::int32_t id : request.prompt_ids) {
    if (id >= 0 && id < decoder.num_embeddings()) continue;
    throw InputError(
        fmt::format("prompt id {} is outside of the model's {} embeddings: do the "
                    "tokenizer and the model belong together?",
                    id, decoder.num_embeddings()));
  }
  if (room_for(request, decoder) < 1) {
    throw InputError(fmt::format("a prompt of {} tokens leaves no room in the model's {} positions",
                                 request.prompt_ids.size(), decoder.max_positions().value_or(0)));
  }
}

}  // namespace

std::int64_t room_for(const RolloutRequest& request, const Decoder& decoder) {
  const std::int64_t wanted = request.sampling.max_new_tokens;
  const auto limit = decoder.max_positions();
  if (!limit) return wanted;
  return std::min(wanted, *limit - static_cast<std::int64_t>(request.prompt_ids.size()));
}

std::int64_t longest_length(const RolloutRequest& request, const Decoder& decoder) {
  return static_cast<std::int64_t>(request.prompt_ids.size()) + room_for(request, decoder);
}

void check_request(const RolloutRequest& request, const Decoder& decoder, const KvMemory& memory,
                   std::int64_t kv_bytes_per_position) {
  check_sampling(request.sampling);
  check_prompt(request, decoder);
  const std::int64_t longest = longest_length(request, decoder);
  const KvPool pool(memory, kv_bytes_per_position);
  if (pool.can_ever_hold(KvPool::whole_blocks(longest))) return;
  throw InputError(fmt::format(
      "a rollout of {} tokens needs {:.1f} MB of keys and values, and the engine has {:.1f} MB: "
      "give it more memory, or lower training.gold.max_completion_length",
      longest, static_cast<double>(longest * kv_bytes_per_position) / 1e6,
      static_cast<double>(memory.budget_bytes) / 1e6));
}

}  // namespace aurum::rollout

#pragma once

#include <memory>
#include <mutex>
#include <string>

#include <nlohmann/json.hpp>

#include "rollout/local_rollout_source.h"
#include "serve/served_weights.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::serve {

// What the server does, without its sockets: requests and answers as JSON, in the words of TRL's
// vllm-serve. Every request is checked before anything is computed; one runs at a time. Methods are
// thread-safe and throw InputError for what the peer did wrong.
class RolloutService {
 public:
  RolloutService(const weights::Checkpoint& checkpoint,
                 std::shared_ptr<const text::Tokenizer> tokenizer, model::ComputeDType dtype);

  // {"prompts": [text or ids, ...], "n", "temperature", "top_p", "top_k", "max_tokens",
  // "structured_outputs_regex", "seed", "stream_indices"} ->
  // {"prompt_ids": [[...]], "completion_ids": [[...]]}; n completions per prompt, side by side.
  // seed and stream_indices, one per completion, are ours: they make a rollout repeatable.
  nlohmann::json generate(const nlohmann::json& request);

  // Replaces one tensor. Rollouts use it after apply_updates().
  void update_parameter(const std::string& name, const std::string& dtype,
                        const std::vector<std::int64_t>& shape, std::span<const std::byte> bytes);
  void apply_updates();

  std::size_t largest_tensor_bytes() const { return weights_.largest_tensor_bytes(); }

 private:
  std::mutex mutex_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  ServedWeights weights_;
  rollout::LocalRolloutSource source_;
};

}  // namespace aurum::serve

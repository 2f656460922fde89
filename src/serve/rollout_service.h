#pragma once

#include <atomic>
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
  // seed and stream_indices, one per completion, are ours: they make a rollout repeatable. Without
  // a seed, every request has its own.
  nlohmann::json generate(const nlohmann::json& request);

  // The same in the words of vLLM's /v1/completions, which newer TRL clients speak:
  // {"prompt": text, ids or a list of such, "structured_outputs": {"regex"}, ...} ->
  // {"choices": [{"prompt_token_ids", "token_ids", "text", "finish_reason", "logprobs": null}]}.
  nlohmann::json complete(const nlohmann::json& request);

  // Replaces one tensor, for the rollouts from here on.
  void update_parameter(const std::string& name, const std::string& dtype,
                        const std::vector<std::int64_t>& shape, std::span<const std::byte> bytes);

  // Ends a generate() under way, and later ones, with Interrupted.
  void stop() { is_stopping_ = true; }

  std::size_t largest_tensor_bytes() const { return weights_.largest_tensor_bytes(); }

 private:
  std::vector<rollout::Rollout> roll_out(const std::vector<rollout::RolloutRequest>& requests);

  std::mutex mutex_;
  std::atomic<bool> is_stopping_ = false;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  ServedWeights weights_;
  rollout::LocalRolloutSource source_;
};

}  // namespace aurum::serve

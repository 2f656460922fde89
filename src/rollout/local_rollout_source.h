#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/causal_lm.h"
#include "rollout/decoder.h"
#include "rollout/rollout_source.h"

namespace aurum::rollout {

// Generates in this process, on the model's own weights, without padding: sequences of different
// lengths step together, each over its own key and value cache, and a finished one makes room for
// the next request. Requests with equal prompts share the work on the prompt.
//
// A completion depends on its request and the weights only, never on its neighbours or the number
// of threads. Not thread-safe.
class LocalRolloutSource : public RolloutSource {
 public:
  // `model` must outlive this object and must not be trained while generate() runs.
  // Ids at or above `vocab_size` (the padding rows of the head) are never sampled; a completion
  // ends with the first of `end_of_turn_ids`.
  LocalRolloutSource(model::CausalLm& model, std::vector<std::int32_t> end_of_turn_ids,
                     std::int64_t vocab_size);
  // For weights from elsewhere: `make_model` is called now and at each sync_weights().
  LocalRolloutSource(std::function<DecoderModel()> make_model,
                     std::vector<std::int32_t> end_of_turn_ids, std::int64_t vocab_size);
  ~LocalRolloutSource() override;

  std::vector<Rollout> generate(std::span<const RolloutRequest> requests,
                                const TokenCallback& on_token = {}) override;
  void sync_weights() override;

  // The logits [vocab_size of the head] after the last of `ids`, by the kernels of generate().
  std::vector<float> next_token_logits(std::span<const std::int32_t> ids);

 private:
  struct Sequence;

  void check_request(const RolloutRequest& request) const;
  std::int64_t room_for(const RolloutRequest& request) const;
  Sequence admit(const RolloutRequest& request, std::size_t index,
                 std::span<const Sequence> active);
  std::vector<float> run_from_start(Sequence& sequence);
  void advance(std::vector<Sequence>& active);
  void step_together(std::vector<Sequence*>& sequences);
  void draw(Sequence& sequence, std::span<float> logits) const;
  bool is_end_of_turn(std::int32_t id) const;

  std::function<DecoderModel()> make_model_;
  std::vector<std::int32_t> end_of_turn_ids_;
  std::int64_t vocab_size_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace aurum::rollout

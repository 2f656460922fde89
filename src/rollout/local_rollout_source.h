#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/causal_lm.h"
#include "rollout/decoder.h"
#include "rollout/guided/guide_cache.h"
#include "rollout/kv_pool.h"
#include "rollout/rollout_source.h"

namespace aurum::rollout {

struct LocalRolloutOptions {
  std::shared_ptr<const text::Tokenizer> tokenizer;  // for requests with a regex
  KvMemory kv_memory;
};

// Generates in this process, without padding: sequences of different lengths step together, each
// over its own key and value cache, and a finished one makes room for the next request. Prompts run
// together too; requests with equal prompts share the work on the prompt.
//
// A completion depends on its request and the weights only, never on its neighbours or the number
// of threads. Not thread-safe.
class LocalRolloutSource : public RolloutSource {
 public:
  // `model` must outlive this object. The next generate() packs its weights as they are then; call
  // sync_weights() when they change.
  // Ids at or above `vocab_size` (the padding rows of the head) are never sampled; a completion
  // ends with the first of `end_of_turn_ids`.
  LocalRolloutSource(model::CausalLm& model, std::vector<std::int32_t> end_of_turn_ids,
                     std::int64_t vocab_size, LocalRolloutOptions options = {});
  // For weights from elsewhere: `make_model` is called now, and again when weights are needed after
  // sync_weights() or sleep().
  LocalRolloutSource(std::function<DecoderModel()> make_model,
                     std::vector<std::int32_t> end_of_turn_ids, std::int64_t vocab_size,
                     LocalRolloutOptions options = {});
  ~LocalRolloutSource() override;

  std::vector<Rollout> generate(std::span<const RolloutRequest> requests,
                                const TokenCallback& on_token = {}) override;
  void sync_weights() override { drop_decoder(); }
  void sleep() override { drop_decoder(); }

  // The most bytes of keys and values that the last generate() had in use.
  std::int64_t peak_kv_bytes() const { return peak_kv_bytes_; }

  // The logits [vocab_size of the head] after the last of `ids`, by the kernels of generate().
  std::vector<float> next_token_logits(std::span<const std::int32_t> ids);

 private:
  Decoder& decoder();
  void drop_decoder();
  void check(const RolloutRequest& request);
  bool is_end_of_turn(std::int32_t id) const;

  std::function<DecoderModel()> make_model_;
  std::vector<std::int32_t> end_of_turn_ids_;
  std::int64_t vocab_size_;
  KvMemory kv_memory_;
  GuideCache guides_;
  std::int64_t kv_bytes_per_position_ = 0;  // known with the decoder
  std::int64_t peak_kv_bytes_ = 0;
  std::unique_ptr<Decoder> decoder_;  // made when it is needed
};

}  // namespace aurum::rollout

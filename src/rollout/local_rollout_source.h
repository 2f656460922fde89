#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/causal_lm.h"
#include "rollout/decoder.h"
#include "rollout/guided/token_guide.h"
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
  void sync_weights() override { decoder_.reset(); }
  void sleep() override { decoder_.reset(); }

  // The most bytes of keys and values that the last generate() had in use.
  std::int64_t peak_kv_bytes() const { return peak_kv_bytes_; }

  // The logits [vocab_size of the head] after the last of `ids`, by the kernels of generate().
  std::vector<float> next_token_logits(std::span<const std::int32_t> ids);

 private:
  struct Sequence;
  struct Batch;

  Decoder& decoder();
  void check_request(const RolloutRequest& request);
  std::int64_t room_for(const RolloutRequest& request);
  TokenGuide* guide_for(const std::string& regex);
  std::int64_t longest(const RolloutRequest& request);
  std::int64_t bytes_per_position();
  Sequence new_sequence(const RolloutRequest& request, std::size_t index, std::int64_t capacity);
  bool admit_next(Batch& batch);
  void make_room(Batch& batch, std::size_t& num_running);
  bool grow(Batch& batch, Sequence& sequence);
  bool deliver(Batch& batch, const Sequence& sequence) const;
  void start(std::span<Sequence> sequences, std::size_t num_running);
  void run_from_start(std::span<Sequence* const> sequences);
  void advance(std::span<Sequence> active);
  void step_together(std::vector<Sequence*>& sequences);
  void consult_guide(Sequence& sequence) const;
  void draw(Sequence& sequence, std::span<float> logits) const;
  bool is_end_of_turn(std::int32_t id) const;

  std::function<DecoderModel()> make_model_;
  std::vector<std::int32_t> end_of_turn_ids_;
  std::int64_t vocab_size_;
  LocalRolloutOptions options_;
  std::shared_ptr<const GuideTokens> guide_tokens_;            // made when they are needed
  std::map<std::string, std::unique_ptr<TokenGuide>> guides_;  // by regex
  std::int64_t peak_kv_bytes_ = 0;
  std::unique_ptr<Decoder> decoder_;  // made when it is needed
};

}  // namespace aurum::rollout

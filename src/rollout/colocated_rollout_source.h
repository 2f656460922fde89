#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/causal_lm.h"
#include "rollout/local_rollout_source.h"

namespace aurum::rollout {

struct ColocatedEngineConfig {
  std::int64_t sync_frequency = 1;  // updates of the student between two copies of its weights
  std::int64_t budget_bytes = 0;    // of the copy and the keys and values together
  // sleep() drops the copy, and the next generate() makes it again; needs sync_frequency 1, because
  // nothing else remembers older weights.
  bool sleeps = false;
};

// An engine in this process beside the trainer, with an inference copy of the student's weights:
// training may go on while it is older, and its memory is bounded. Keys and values are paged.
class ColocatedRolloutSource : public RolloutSource {
 public:
  // `student` must outlive this object; `tokenizer` is for requests with a regex. Throws InputError
  // when the copy alone is over the budget.
  ColocatedRolloutSource(model::CausalLm& student, const ColocatedEngineConfig& config,
                         std::vector<std::int32_t> end_of_turn_ids, std::int64_t vocab_size,
                         std::shared_ptr<const text::Tokenizer> tokenizer = nullptr);
  ~ColocatedRolloutSource() override;

  std::vector<Rollout> generate(std::span<const RolloutRequest> requests,
                                const TokenCallback& on_token = {}) override;
  void sync_weights() override;
  void resume(std::int64_t num_updates) override;
  void sleep() override;

  bool is_asleep() const { return engine_ == nullptr; }

 private:
  void wake();
  void copy_weights();

  model::CausalLm& student_;
  ColocatedEngineConfig config_;
  std::vector<std::int32_t> end_of_turn_ids_;
  std::int64_t vocab_size_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::int64_t num_updates_ = 0;
  std::unique_ptr<LocalRolloutSource> engine_;
};

}  // namespace aurum::rollout

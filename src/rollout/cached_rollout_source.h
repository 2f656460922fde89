#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "rollout/rollout_source.h"
#include "telemetry/step_metrics.h"

namespace aurum::rollout {

// Keeps the completions of a model that never changes in a JSON-lines file, one line each, and
// answers requests that are there without the model. A request is found by all that decides its
// completion: the model's name, the prompt, the sampling and the random stream.
class CachedRolloutSource : public RolloutSource {
 public:
  // `make_source` loads the model; it is called at the first request that is not in the file.
  CachedRolloutSource(std::function<std::unique_ptr<RolloutSource>()> make_source,
                      std::string model_name, const std::string& file);

  // `on_token` hears of new completions only; what it stops is not kept.
  std::vector<Rollout> generate(std::span<const RolloutRequest> requests,
                                const TokenCallback& on_token = {}) override;
  void sync_weights() override {}
  void sleep() override {
    if (source_) source_->sleep();
  }

 private:
  std::string key_of(const RolloutRequest& request) const;
  void keep(const RolloutRequest& request, const Rollout& rollout);

  std::function<std::unique_ptr<RolloutSource>()> make_source_;
  std::string model_name_;
  std::unique_ptr<RolloutSource> source_;
  std::unordered_map<std::string, Rollout> known_;
  telemetry::JsonlWriter writer_;
};

}  // namespace aurum::rollout

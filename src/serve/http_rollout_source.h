#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/causal_lm.h"
#include "rollout/rollout_source.h"

namespace aurum::serve {

struct RolloutServerAddress {
  std::string host = "127.0.0.1";
  int port = 8001;
  double timeout_seconds = 240.0;  // how long it may take to answer for the first time
};

// Rollouts from an `aurum serve`, which gets the student's weights over the same connection.
class HttpRolloutSource : public rollout::RolloutSource {
 public:
  // `student` must outlive this object. Waits for the server and sends it the weights; throws
  // IoError when it does not answer in time or is another program.
  HttpRolloutSource(model::CausalLm& student, const RolloutServerAddress& address,
                    std::int64_t sync_frequency, std::vector<std::int32_t> end_of_turn_ids);
  ~HttpRolloutSource() override;

  // Tokens are handed over when all are there.
  std::vector<rollout::Rollout> generate(std::span<const rollout::RolloutRequest> requests,
                                         const rollout::TokenCallback& on_token = {}) override;
  void sync_weights() override;
  void resume(std::int64_t num_updates) override;

 private:
  struct Connection;

  void wait_for_server(double timeout_seconds);
  void send_weights();
  std::vector<rollout::Rollout> ask(std::span<const rollout::RolloutRequest> requests);
  rollout::Rollout rollout_of(std::vector<std::int32_t> ids, std::int64_t max_new_tokens) const;

  model::CausalLm& student_;
  std::int64_t sync_frequency_, num_updates_ = 0;
  std::vector<std::int32_t> end_of_turn_ids_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace aurum::serve

#pragma once

#include <memory>
#include <string>

#include "serve/rollout_service.h"

namespace aurum::serve {

// HTTP around a RolloutService, with the paths of TRL's vllm-serve:
//   GET  /health/                {"status": "ok", "server": "aurum"}
//   GET  /get_world_size/        {"world_size": 1}
//   POST /generate/              RolloutService::generate
//   POST /v1/completions         RolloutService::complete
//   GET  /v1/models              {"data": [{"id": "aurum"}]}
//   POST /update_named_param/?name=&dtype=&shape=   the body is the tensor (TRL: over NCCL)
//   POST /reset_prefix_cache/    {"status": "ok"}: no cache outlives a request
// Mistakes of a peer are answered with 400 and {"error": ...}. There is no authentication: whoever
// reaches the port can use and change the model, so bind it to loopback.
class RolloutServer {
 public:
  explicit RolloutServer(RolloutService& service);
  ~RolloutServer();

  // Port 0 takes a free one. Returns the port. Throws IoError.
  int bind(const std::string& host, int port);
  // Blocks until another thread calls stop(), which does not wait for rollouts under way.
  void run();
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aurum::serve

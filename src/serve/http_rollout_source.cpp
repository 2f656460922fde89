#include "serve/http_rollout_source.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <httplib.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace aurum::serve {

namespace {

using nlohmann::json;
using rollout::Rollout;
using rollout::RolloutRequest;

constexpr int kConnectSeconds = 5;
constexpr int kAnswerSeconds = 3600;  // a window of long rollouts takes its time
constexpr std::chrono::duration<double> kLeastWait{0.01};
constexpr auto kRetryInterval = std::chrono::milliseconds(200);

bool have_same_sampling(const RolloutRequest& a, const RolloutRequest& b) {
  const rollout::SamplingParams &x = a.sampling, &y = b.sampling;
  return a.seed == b.seed && x.temperature == y.temperature && x.top_p == y.top_p &&
         x.top_k == y.top_k && x.max_new_tokens == y.max_new_tokens && x.regex == y.regex;
}

json body_of(std::span<const RolloutRequest> requests) {
  const RolloutRequest& first = requests.front();
  json body = {{"n", 1},
               {"temperature", first.sampling.temperature},
               {"top_p", first.sampling.top_p},
               {"top_k", first.sampling.top_k},
               {"max_tokens", first.sampling.max_new_tokens},
               {"seed", first.seed}};
  if (!first.sampling.regex.empty()) body["structured_outputs_regex"] = first.sampling.regex;
  for (const RolloutRequest& request : requests) {
    body["prompts"].push_back(request.prompt_ids);
    body["stream_indices"].push_back(request.stream_index);
  }
  return body;
}

}  // namespace

struct HttpRolloutSource::Connection {
  std::string url;
  httplib::Client client;

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(fmt::format(
        "rollout server {}: {}. Start one with `aurum serve`, check training.gold.vllm_server_host "
        "and _port, or set training.gold.use_vllm: false",
        url, what));
  }

  json post(const std::string& path, const std::string& body, const char* type) {
    const auto response = client.Post(path, body, type);
    if (!response) fail(httplib::to_string(response.error()));
    json answer = json::parse(response->body, nullptr, false);
    if (response->status == 200 && answer.is_object()) return answer;
    const bool has_reason =
        answer.is_object() && answer.contains("error") && answer["error"].is_string();
    fail(has_reason ? answer["error"].get<std::string>()
                    : fmt::format("{} answered {}", path, response->status));
  }
};

HttpRolloutSource::HttpRolloutSource(model::CausalLm& student, const RolloutServerAddress& address,
                                     std::int64_t sync_frequency,
                                     std::vector<std::int32_t> end_of_turn_ids)
    : student_(student),
      sync_frequency_(sync_frequency),
      end_of_turn_ids_(std::move(end_of_turn_ids)),
      connection_(std::make_unique<Connection>(
          Connection{.url = fmt::format("http://{}:{}", address.host, address.port),
                     .client = httplib::Client(address.host, address.port)})) {
  connection_->client.set_connection_timeout(kConnectSeconds);
  connection_->client.set_write_timeout(kAnswerSeconds);
  connection_->client.set_keep_alive(true);
  connection_->client.set_tcp_nodelay(true);  // a tensor a request: none may wait for an echo
  wait_for_server(address.timeout_seconds);
  connection_->client.set_read_timeout(kAnswerSeconds);
  send_weights();
}

HttpRolloutSource::~HttpRolloutSource() = default;

void HttpRolloutSource::wait_for_server(double timeout_seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(timeout_seconds);
  for (;;) {
    const std::chrono::duration<double> left = end - Clock::now();
    connection_->client.set_read_timeout(std::max(left, kLeastWait));  // it may accept and be mute
    const auto response = connection_->client.Get("/health/");
    if (response && response->status == 200) {
      const json health = json::parse(response->body, nullptr, false);
      if (health.is_object() && health.value("server", json()) == "aurum") return;
      connection_->fail("is no aurum server: another one takes weights over NCCL only");
    }
    if (Clock::now() >= end) {
      connection_->fail(fmt::format("did not answer within {} s", timeout_seconds));
    }
    std::this_thread::sleep_for(kRetryInterval);
  }
}

void HttpRolloutSource::send_weights() {
  for (const model::NamedParameter& parameter : student_.parameters()) {
    const at::Tensor tensor = parameter.tensor->detach().cpu().contiguous();
    const bool is_bfloat16 = tensor.scalar_type() == at::kBFloat16;
    const std::string path =
        fmt::format("/update_named_param/?name={}&dtype={}&shape={}", parameter.name,
                    is_bfloat16 ? "bfloat16" : "float32", fmt::join(tensor.sizes().vec(), ","));
    connection_->post(path,
                      std::string(static_cast<const char*>(tensor.const_data_ptr()),
                                  static_cast<std::size_t>(tensor.nbytes())),
                      "application/octet-stream");
  }
  connection_->post("/reset_prefix_cache/", "", "application/json");
}

void HttpRolloutSource::sync_weights() {
  if (++num_updates_ % sync_frequency_ == 0) send_weights();
}

void HttpRolloutSource::resume(std::int64_t num_updates) {
  num_updates_ = num_updates;
  send_weights();
}

std::vector<Rollout> HttpRolloutSource::generate(std::span<const RolloutRequest> requests,
                                                 const rollout::TokenCallback& on_token) {
  std::vector<Rollout> rollouts;
  while (rollouts.size() < requests.size()) {
    const auto rest = requests.subspan(rollouts.size());
    const auto other = std::find_if_not(rest.begin(), rest.end(), [&](const RolloutRequest& r) {
      return have_same_sampling(r, rest.front());
    });
    for (Rollout& rollout : ask({rest.begin(), other})) rollouts.push_back(std::move(rollout));
  }
  if (!on_token) return rollouts;
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    for (const std::int32_t id : rollouts[i].completion_ids) {
      if (!on_token(i, id)) return rollouts;
    }
  }
  return rollouts;
}

std::vector<Rollout> HttpRolloutSource::ask(std::span<const RolloutRequest> requests) {
  const json answer = connection_->post("/generate/", body_of(requests).dump(), "application/json");
  std::vector<std::vector<std::int32_t>> completions;
  try {
    answer.at("completion_ids").get_to(completions);
  } catch (const json::exception&) {
    connection_->fail("its answer has no lists of completion_ids");
  }
  if (completions.size() != requests.size()) {
    connection_->fail(
        fmt::format("{} completions came for {} prompts", completions.size(), requests.size()));
  }
  std::vector<Rollout> rollouts;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    rollouts.push_back(rollout_of(std::move(completions[i]), requests[i].sampling.max_new_tokens));
  }
  return rollouts;
}

// A completion ends with its only end of turn, or is as long as it may be.
Rollout HttpRolloutSource::rollout_of(std::vector<std::int32_t> ids,
                                      std::int64_t max_new_tokens) const {
  const auto is_end = [this](std::int32_t id) {
    return std::find(end_of_turn_ids_.begin(), end_of_turn_ids_.end(), id) !=
           end_of_turn_ids_.end();
  };
  const bool fits = !ids.empty() && static_cast<std::int64_t>(ids.size()) <= max_new_tokens &&
                    std::none_of(ids.begin(), ids.end() - 1, is_end) &&
                    std::all_of(ids.begin(), ids.end(), [this](std::int32_t id) {
                      return id >= 0 && id < student_.config().vocab_size;
                    });
  if (!fits) {
    connection_->fail(
        "a completion is empty, too long, goes on after its end of turn or has ids that the "
        "student lacks; serve the student's own model");
  }
  const bool ended = is_end(ids.back());
  return {
      .completion_ids = std::move(ids),
      .finish_reason = ended ? rollout::FinishReason::kEndOfTurn : rollout::FinishReason::kLength};
}

}  // namespace aurum::serve

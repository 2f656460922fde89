#include "rollout/cached_rollout_source.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

namespace aurum::rollout {

namespace {

using Json = nlohmann::ordered_json;

Json to_line(const Json& request, const Rollout& rollout) {
  const bool ended = rollout.finish_reason == FinishReason::kEndOfTurn;
  return {{"request", request},
          {"completion_ids", rollout.completion_ids},
          {"finish_reason", ended ? "eos" : "length"}};
}

// Nothing for a line that somebody else wrote or tore: the completion is made again.
std::optional<Rollout> rollout_of(const Json& line) {
  const Json reason = line.value("finish_reason", Json());
  const Json ids = line.value("completion_ids", Json());
  const bool fits = line.contains("request") && ids.is_array() && !ids.empty() &&
                    std::all_of(ids.begin(), ids.end(), [](const Json& id) {
                      return id.is_number_unsigned() &&
                             id.get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max();
                    });
  if (!fits || (reason != "eos" && reason != "length")) return std::nullopt;
  return Rollout{ids.get<std::vector<std::int32_t>>(),
                 reason == "eos" ? FinishReason::kEndOfTurn : FinishReason::kLength};
}

}  // namespace

CachedRolloutSource::CachedRolloutSource(
    std::function<std::unique_ptr<RolloutSource>()> make_source, std::string model_name,
    const std::string& file)
    : make_source_(std::move(make_source)), model_name_(std::move(model_name)), writer_(file) {
  std::int64_t bad_lines = 0;
  for (const Json& line : telemetry::read_jsonl(file, &bad_lines)) {
    if (auto rollout = rollout_of(line)) known_[line["request"].dump()] = std::move(*rollout);
  }
}

std::string CachedRolloutSource::key_of(const RolloutRequest& request) const {
  Json key = {{"model", model_name_},
              {"temperature", request.sampling.temperature},
              {"top_p", request.sampling.top_p},
              {"top_k", request.sampling.top_k},
              {"max_new_tokens", request.sampling.max_new_tokens},
              {"seed", request.seed},
              {"stream_index", request.stream_index},
              {"prompt_ids", request.prompt_ids}};
  if (!request.sampling.regex.empty()) key["regex"] = request.sampling.regex;
  return key.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<Rollout> CachedRolloutSource::generate(std::span<const RolloutRequest> requests,
                                                   const TokenCallback& on_token) {
  std::vector<Rollout> rollouts(requests.size());
  std::vector<RolloutRequest> missing;
  std::vector<std::size_t> places;  // of the missing ones
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto found = known_.find(key_of(requests[i]));
    if (found != known_.end()) {
      rollouts[i] = found->second;
    } else {
      missing.push_back(requests[i]);
      places.push_back(i);
    }
  }
  if (missing.empty()) return rollouts;
  bool is_stopped = false;
  const auto tell = [&](std::size_t index, std::int32_t id) {
    is_stopped = on_token && !on_token(places[index], id);
    return !is_stopped;
  };
  if (!source_) source_ = make_source_();
  const std::vector<Rollout> made = source_->generate(missing, tell);
  for (std::size_t i = 0; i < missing.size(); ++i) {
    rollouts[places[i]] = made[i];
    if (!is_stopped) keep(missing[i], made[i]);
  }
  return rollouts;
}

void CachedRolloutSource::keep(const RolloutRequest& request, const Rollout& rollout) {
  const std::string key = key_of(request);
  if (known_.emplace(key, rollout).second) writer_.append(to_line(Json::parse(key), rollout));
}

}  // namespace aurum::rollout

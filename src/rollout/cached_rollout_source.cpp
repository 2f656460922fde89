#include "rollout/cached_rollout_source.h"

#include <filesystem>
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

}  // namespace

CachedRolloutSource::CachedRolloutSource(
    std::function<std::unique_ptr<RolloutSource>()> make_source, std::string model_name,
    const std::string& file)
    : make_source_(std::move(make_source)), model_name_(std::move(model_name)), writer_(file) {
  std::int64_t bad_lines = 0;
  for (const Json& line : telemetry::read_jsonl(file, &bad_lines)) {
    if (!line.contains("request") || !line.contains("completion_ids")) continue;
    const bool ended = line.value("finish_reason", "length") == "eos";
    known_[line["request"].dump()] = {line["completion_ids"].get<std::vector<std::int32_t>>(),
                                      ended ? FinishReason::kEndOfTurn : FinishReason::kLength};
  }
}

std::string CachedRolloutSource::key_of(const RolloutRequest& request) const {
  return Json{{"model", model_name_},
              {"temperature", request.sampling.temperature},
              {"top_p", request.sampling.top_p},
              {"top_k", request.sampling.top_k},
              {"max_new_tokens", request.sampling.max_new_tokens},
              {"seed", request.seed},
              {"stream_index", request.stream_index},
              {"prompt_ids", request.prompt_ids}}
      .dump();
}

std::vector<Rollout> CachedRolloutSource::generate(std::span<const RolloutRequest> requests,
                                                   const TokenCallback& on_token) {
  add_missing(requests, on_token);
  std::vector<Rollout> rollouts;
  for (const RolloutRequest& request : requests) rollouts.push_back(known_.at(key_of(request)));
  return rollouts;
}

void CachedRolloutSource::add_missing(std::span<const RolloutRequest> requests,
                                      const TokenCallback& on_token) {
  std::vector<RolloutRequest> missing;
  for (const RolloutRequest& request : requests) {
    if (!known_.contains(key_of(request))) missing.push_back(request);
  }
  if (missing.empty()) return;
  if (!source_) source_ = make_source_();
  const std::vector<Rollout> rollouts = source_->generate(missing, on_token);
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const std::string key = key_of(missing[i]);
    if (known_.emplace(key, rollouts[i]).second) {
      writer_.append(to_line(Json::parse(key), rollouts[i]));
    }
  }
}

}  // namespace aurum::rollout

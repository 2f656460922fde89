#include "serve/rollout_service.h"

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <string_view>

#include "base/error.h"
#include "base/memory.h"

namespace aurum::serve {

namespace {

using nlohmann::json;
using rollout::Rollout;
using rollout::RolloutRequest;

constexpr std::int64_t kMostPrompts = 4096, kMostCopies = 1024, kMostCompletions = 16384;
constexpr std::int64_t kMostNewTokens = 1 << 17;
constexpr std::size_t kMostPromptTokens = 1 << 17, kMostPromptBytes = 1 << 20;
constexpr std::size_t kMostTokens = std::size_t{1} << 24;  // of all prompts with their copies

constexpr std::array<std::string_view, 16> kKnownKeys = {"prompts",
                                                         "n",
                                                         "temperature",
                                                         "top_p",
                                                         "top_k",
                                                         "max_tokens",
                                                         "seed",
                                                         "stream_indices",
                                                         "logprobs",
                                                         "images",
                                                         "min_p",
                                                         "structured_outputs_regex",
                                                         "guided_decoding_regex",
                                                         "repetition_penalty",
                                                         "generation_kwargs",
                                                         "truncate_prompt_tokens"};

bool has(const json& request, const char* key) {
  return request.contains(key) && !request[key].is_null();
}

double number(const json& request, const char* key, double fallback) {
  if (!has(request, key)) return fallback;
  if (!request[key].is_number()) throw InputError(fmt::format("/{} must be a number", key));
  return request[key].get<double>();
}

std::int64_t whole(const json& request, const char* key, std::int64_t fallback, std::int64_t least,
                   std::int64_t most) {
  if (!has(request, key)) return fallback;
  const json& value = request[key];
  const bool fits = value.is_number_integer() &&
                    value.get<double>() >= static_cast<double>(least) &&
                    value.get<double>() <= static_cast<double>(most);
  if (!fits) {
    throw InputError(fmt::format("/{} must be a whole number from {} to {}, found {}", key, least,
                                 most, value.dump().substr(0, 80)));
  }
  return value.get<std::int64_t>();
}

void check_keys(const json& request) {
  if (!request.is_object()) throw InputError("the body must be a JSON object");
  for (const auto& [key, value] : request.items()) {
    if (std::find(kKnownKeys.begin(), kKnownKeys.end(), key) == kKnownKeys.end()) {
      throw InputError(fmt::format("/{} is not known here", key.substr(0, 80)));
    }
  }
  // What would change the samples and is not there.
  const auto refuse = [&](const char* key, bool is_harmless) {
    if (!is_harmless) throw InputError(fmt::format("/{} is not supported: remove it", key));
  };
  refuse("repetition_penalty", number(request, "repetition_penalty", 1.0) == 1.0);
  refuse("min_p", number(request, "min_p", 0.0) == 0.0);
  for (const char* key : {"images", "generation_kwargs", "truncate_prompt_tokens"}) {
    refuse(key, !has(request, key) || request[key].empty());
  }
}

rollout::SamplingParams sampling_of(const json& request) {
  rollout::SamplingParams sampling{.temperature = number(request, "temperature", 1.0),
                                   .top_p = number(request, "top_p", 1.0)};
  constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();
  // vLLM writes "all tokens" as -1.
  sampling.top_k = std::max<std::int64_t>(0, whole(request, "top_k", 0, -1, kLargest));
  sampling.max_new_tokens = whole(request, "max_tokens", 16, 1, kMostNewTokens);
  for (const char* key : {"guided_decoding_regex", "structured_outputs_regex"}) {
    if (!has(request, key)) continue;
    if (!request[key].is_string()) throw InputError(fmt::format("/{} must be text", key));
    sampling.regex = request[key].get<std::string>();
  }
  return sampling;
}

std::vector<std::int32_t> ids_of(const json& prompt, const text::Tokenizer& tokenizer) {
  const auto check_size = [](std::size_t size, std::size_t most, const char* unit) {
    if (size <= most) return;
    throw InputError(fmt::format("/prompts has one of {} {}; the limit is {}", size, unit, most));
  };
  if (prompt.is_string()) {
    const auto text = prompt.get<std::string>();
    check_size(text.size(), kMostPromptBytes, "bytes");
    return tokenizer.encode(text, true).ids;
  }
  if (!prompt.is_array()) throw InputError("/prompts must hold texts or lists of ids");
  check_size(prompt.size(), kMostPromptTokens, "tokens");
  std::vector<std::int32_t> ids;
  for (const json& id : prompt) {
    const bool fits = id.is_number_integer() && id.get<double>() >= 0 &&
                      id.get<double>() <= std::numeric_limits<std::int32_t>::max();
    if (!fits) throw InputError(fmt::format("/prompts has {} for an id", id.dump().substr(0, 80)));
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

// The random stream of each completion.
std::vector<std::uint64_t> streams_of(const json& request, std::size_t count) {
  std::vector<std::uint64_t> streams;
  if (!has(request, "stream_indices")) {
    for (std::size_t i = 0; i < count; ++i) streams.push_back(i);
    return streams;
  }
  const json& given = request["stream_indices"];
  if (!given.is_array() || given.size() != count) {
    throw InputError(fmt::format("/stream_indices must be a list of {} whole numbers", count));
  }
  for (const json& index : given) {
    if (!index.is_number_unsigned()) {
      throw InputError("/stream_indices must hold whole numbers >= 0");
    }
    streams.push_back(index.get<std::uint64_t>());
  }
  return streams;
}

std::uint64_t seed_of(const json& request) {
  if (!has(request, "seed")) {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  }
  if (!request["seed"].is_number_unsigned()) throw InputError("/seed must be a whole number >= 0");
  return request["seed"].get<std::uint64_t>();
}

std::vector<RolloutRequest> requests_of(const json& request, const text::Tokenizer& tokenizer) {
  check_keys(request);
  const std::int64_t copies = whole(request, "n", 1, 1, kMostCopies);
  const bool is_list = request.contains("prompts") && request["prompts"].is_array();
  const auto count = is_list ? static_cast<std::int64_t>(request["prompts"].size()) : 0;
  if (count < 1 || count > kMostPrompts || count * copies > kMostCompletions) {
    throw InputError(
        fmt::format("/prompts must be a list of 1 to {} prompts, and at most {} with "
                    "their copies",
                    kMostPrompts, kMostCompletions));
  }
  RolloutRequest common;
  common.sampling = sampling_of(request);
  common.seed = seed_of(request);
  const auto streams = streams_of(request, static_cast<std::size_t>(count * copies));
  std::vector<RolloutRequest> requests;
  std::size_t num_tokens = 0;
  for (const json& prompt : request["prompts"]) {
    common.prompt_ids = ids_of(prompt, tokenizer);
    num_tokens += common.prompt_ids.size() * static_cast<std::size_t>(copies);
    if (num_tokens > kMostTokens) {
      throw InputError(fmt::format(
          "/prompts with their copies have more than {} tokens: send fewer together", kMostTokens));
    }
    for (std::int64_t copy = 0; copy < copies; ++copy) {
      common.stream_index = streams[requests.size()];
      requests.push_back(common);
    }
  }
  return requests;
}

// A request to /v1/completions in the words of /generate/.
json as_generate(json request) {
  if (!request.is_object()) throw InputError("the body must be a JSON object");
  if (request.contains("prompts")) throw InputError("/prompts is not known here");
  json prompt = request.value("prompt", json());
  const bool is_one =
      prompt.is_string() || (prompt.is_array() && !prompt.empty() && prompt[0].is_number());
  request["prompts"] = is_one ? json::array({prompt}) : prompt;
  if (has(request, "structured_outputs")) {
    const json& outputs = request["structured_outputs"];
    if (!outputs.is_object() || outputs.size() != 1 || !outputs.contains("regex")) {
      throw InputError("/structured_outputs must be {\"regex\": ...}");
    }
    request["structured_outputs_regex"] = outputs["regex"];
  }
  // One model, and its answers always hold the ids.
  for (const char* key : {"prompt", "structured_outputs", "model", "return_token_ids",
                          "return_tokens_as_token_ids"}) {
    request.erase(key);
  }
  return request;
}

// Half of what is free; the other half is for requests, answers and packed weights.
std::int64_t kv_budget_bytes() { return static_cast<std::int64_t>(available_memory_bytes() / 2); }

}  // namespace

RolloutService::RolloutService(const weights::Checkpoint& checkpoint,
                               std::shared_ptr<const text::Tokenizer> tokenizer,
                               model::ComputeDType dtype)
    : tokenizer_(std::move(tokenizer)),
      weights_(checkpoint, dtype),
      source_([this] { return weights_.make_model(); }, tokenizer_->special_tokens().end_of_turn,
              tokenizer_->vocab_size(),
              rollout::LocalRolloutOptions{
                  .tokenizer = tokenizer_,
                  .kv_memory = {.budget_bytes = kv_budget_bytes(), .is_paged = true}}) {}

std::vector<Rollout> RolloutService::roll_out(const std::vector<RolloutRequest>& requests) {
  const std::lock_guard lock(mutex_);
  std::vector<Rollout> rollouts =
      source_.generate(requests, [this](auto, auto) { return !is_stopping_; });
  if (is_stopping_) throw Interrupted("the server is stopping");
  return rollouts;
}

json RolloutService::generate(const json& request) {
  const std::vector<RolloutRequest> requests = requests_of(request, *tokenizer_);
  const std::vector<Rollout> rollouts = roll_out(requests);
  const std::size_t copies = requests.size() / request["prompts"].size();
  json prompts = json::array(), completions = json::array();
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    if (i % copies == 0) prompts.push_back(requests[i].prompt_ids);
    completions.push_back(rollouts[i].completion_ids);
  }
  return {{"prompt_ids", prompts}, {"completion_ids", completions}, {"logprobs", nullptr}};
}

json RolloutService::complete(const json& request) {
  const std::vector<RolloutRequest> requests = requests_of(as_generate(request), *tokenizer_);
  const std::vector<Rollout> rollouts = roll_out(requests);
  json choices = json::array();
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    const bool has_ended = rollouts[i].finish_reason == rollout::FinishReason::kEndOfTurn;
    choices.push_back({{"index", i},
                       {"prompt_token_ids", requests[i].prompt_ids},
                       {"token_ids", rollouts[i].completion_ids},
                       {"text", tokenizer_->decode(rollouts[i].completion_ids, true)},
                       {"finish_reason", has_ended ? "stop" : "length"},
                       {"logprobs", nullptr}});
  }
  return {{"object", "text_completion"}, {"choices", choices}};
}

void RolloutService::update_parameter(const std::string& name, const std::string& dtype,
                                      const std::vector<std::int64_t>& shape,
                                      std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  source_.sync_weights();  // first: a decoder borrows the tensors
  weights_.update(name, dtype, shape, bytes);
}

}  // namespace aurum::serve

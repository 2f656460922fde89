#include "rollout/local_rollout_source.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "base/random_stream.h"
#include "rollout/decoder_model.h"
#include "rollout/sampler.h"

namespace aurum::rollout {

namespace {

constexpr std::size_t kMaxActive = 32;     // sequences that step together
constexpr std::size_t kPromptBlock = 256;  // prompt tokens that run together

}  // namespace

// One request on its way: `ids` is the prompt and what was sampled; all but the last id of a
// running sequence are in the cache.
struct LocalRolloutSource::Sequence {
  std::size_t request_index;
  const RolloutRequest* request;
  std::vector<std::int32_t> ids;
  std::int64_t max_new_tokens;
  RandomStream random;
  model::KvCache cache;
  std::int64_t rotary_key;
  std::shared_ptr<const std::vector<float>> first_logits;  // after what run_from_start ran

  std::int64_t num_new() const {
    return static_cast<std::int64_t>(ids.size() - request->prompt_ids.size());
  }
};

LocalRolloutSource::LocalRolloutSource(model::CausalLm& model,
                                       std::vector<std::int32_t> end_of_turn_ids,
                                       std::int64_t vocab_size)
    : make_model_([&model] { return make_decoder_model(model); }),
      end_of_turn_ids_(std::move(end_of_turn_ids)),
      vocab_size_(vocab_size) {}

LocalRolloutSource::LocalRolloutSource(std::function<DecoderModel()> make_model,
                                       std::vector<std::int32_t> end_of_turn_ids,
                                       std::int64_t vocab_size)
    : make_model_(std::move(make_model)),
      end_of_turn_ids_(std::move(end_of_turn_ids)),
      vocab_size_(vocab_size) {
  decoder();
}

LocalRolloutSource::~LocalRolloutSource() = default;

Decoder& LocalRolloutSource::decoder() {
  if (!decoder_) decoder_ = std::make_unique<Decoder>(make_model_());
  return *decoder_;
}

std::vector<Rollout> LocalRolloutSource::generate(std::span<const RolloutRequest> requests,
                                                  const TokenCallback& on_token) {
  for (const RolloutRequest& request : requests) check_request(request);
  std::vector<Rollout> rollouts(requests.size());
  std::vector<Sequence> active;
  std::size_t next = 0;
  bool stopped = false;
  // Hands over the newest token of a sequence; true when that was its last.
  const auto deliver = [&](const Sequence& sequence) {
    const std::int32_t id = sequence.ids.back();
    Rollout& rollout = rollouts[sequence.request_index];
    rollout.completion_ids.push_back(id);
    if (on_token && !on_token(sequence.request_index, id)) stopped = true;
    if (!is_end_of_turn(id)) return sequence.num_new() >= sequence.max_new_tokens;
    rollout.finish_reason = FinishReason::kEndOfTurn;
    return true;
  };
  while (!stopped && (next < requests.size() || !active.empty())) {
    const std::size_t num_running = active.size();
    for (; active.size() < kMaxActive && next < requests.size(); ++next) {
      active.push_back(new_sequence(requests[next], next));
    }
    start(active, num_running);
    advance(std::span(active).first(num_running));
    std::vector<Sequence> unfinished;
    for (Sequence& sequence : active) {
      const bool finished = !stopped && deliver(sequence);
      if (!finished) unfinished.push_back(std::move(sequence));
    }
    active = std::move(unfinished);
  }
  return rollouts;
}

std::vector<float> LocalRolloutSource::next_token_logits(std::span<const std::int32_t> ids) {
  RolloutRequest request;
  request.prompt_ids.assign(ids.begin(), ids.end());
  request.sampling.max_new_tokens = 1;
  check_request(request);
  Sequence sequence = new_sequence(request, 0);
  start({&sequence, 1}, 0);
  return *sequence.first_logits;
}

void LocalRolloutSource::check_request(const RolloutRequest& request) {
  check_sampling(request.sampling);
  if (request.prompt_ids.empty()) {
    throw InputError("a prompt has no tokens: give it at least one (a BOS or a chat template)");
  }
  for (const std::int32_t id : request.prompt_ids) {
    if (id >= 0 && id < decoder().num_embeddings()) continue;
    throw InputError(
        fmt::format("prompt id {} is outside of the model's {} embeddings: do the "
                    "tokenizer and the model belong together?",
                    id, decoder().num_embeddings()));
  }
  if (room_for(request) < 1) {
    throw InputError(fmt::format("a prompt of {} tokens leaves no room in the model's {} positions",
                                 request.prompt_ids.size(), decoder().max_positions().value_or(0)));
  }
}

// New tokens that fit: learned positions end somewhere, rotary ones do not.
std::int64_t LocalRolloutSource::room_for(const RolloutRequest& request) {
  const std::int64_t wanted = request.sampling.max_new_tokens;
  const auto limit = decoder().max_positions();
  if (!limit) return wanted;
  return std::min(wanted, *limit - static_cast<std::int64_t>(request.prompt_ids.size()));
}

LocalRolloutSource::Sequence LocalRolloutSource::new_sequence(const RolloutRequest& request,
                                                              std::size_t index) {
  const auto prompt_length = static_cast<std::int64_t>(request.prompt_ids.size());
  const std::int64_t room = room_for(request);
  return {.request_index = index,
          .request = &request,
          .ids = request.prompt_ids,
          .max_new_tokens = room,
          .random = RandomStream(request.seed, "rollout", request.stream_index),
          .cache = decoder().make_cache(prompt_length + room),
          .rotary_key = decoder().rotary_key(prompt_length),
          .first_logits = nullptr};
}

// Draws the first token of all sequences after the first `num_running`: runs their prompts, or
// takes over the cache of an earlier sequence with the same prompt.
void LocalRolloutSource::start(std::span<Sequence> sequences, std::size_t num_running) {
  const auto same_prompt = [&](const Sequence& a) -> const Sequence& {
    return *std::find_if(sequences.begin(), sequences.end(), [&](const Sequence& b) {
      return a.rotary_key == b.rotary_key && a.request->prompt_ids == b.request->prompt_ids;
    });
  };
  const std::span<Sequence> new_ones = sequences.subspan(num_running);
  std::vector<Sequence*> first_of_prompt;
  for (Sequence& sequence : new_ones) {
    if (&same_prompt(sequence) == &sequence) first_of_prompt.push_back(&sequence);
  }
  run_from_start(first_of_prompt);
  for (Sequence& sequence : new_ones) {
    const Sequence& first = same_prompt(sequence);
    if (&first == &sequence) continue;
    sequence.cache.copy_prefix(first.cache,
                               static_cast<std::int64_t>(sequence.request->prompt_ids.size()));
    sequence.first_logits = first.first_logits;
  }
  parallel_for_each(static_cast<std::int64_t>(new_ones.size()), [&](std::int64_t i) {
    std::vector<float> logits = *new_ones[static_cast<std::size_t>(i)].first_logits;
    draw(new_ones[static_cast<std::size_t>(i)], logits);
  });
}

// Fills the caches with all ids; sets the logits after the last. Prompts of several sequences stand
// in one block.
void LocalRolloutSource::run_from_start(std::span<Sequence* const> sequences) {
  std::vector<DecodeToken> block;
  std::vector<Sequence*> ending;  // sequences whose last token is in the block
  const auto vocab = static_cast<std::size_t>(decoder().vocab_size());
  const auto run_block = [&] {
    const std::span<float> logits = decoder().step(block);
    for (std::size_t i = 0; i < ending.size(); ++i) {
      const auto row = logits.subspan(i * vocab, vocab);
      ending[i]->first_logits = std::make_shared<const std::vector<float>>(row.begin(), row.end());
    }
    block.clear();
    ending.clear();
  };
  for (Sequence* sequence : sequences) {
    const std::size_t length = sequence->ids.size();
    for (std::size_t i = 0; i < length; ++i) {
      block.push_back({.id = sequence->ids[i],
                       .position = static_cast<std::int64_t>(i),
                       .cache = &sequence->cache,
                       .row_length = static_cast<std::int64_t>(length),
                       .wants_logits = i + 1 == length});
      if (i + 1 == length) ending.push_back(sequence);
      if (block.size() == kPromptBlock) run_block();
    }
  }
  if (!block.empty()) run_block();
}

// Draws one more token for every sequence.
void LocalRolloutSource::advance(std::span<Sequence> active) {
  std::vector<Sequence*> together;
  for (Sequence& sequence : active) {
    const std::int64_t key = decoder().rotary_key(static_cast<std::int64_t>(sequence.ids.size()));
    if (key == sequence.rotary_key) {
      together.push_back(&sequence);
      continue;
    }
    // Other rotary factors: every key in the cache is stale.
    sequence.rotary_key = key;
    Sequence* const stale = &sequence;
    run_from_start({&stale, 1});
    std::vector<float> logits = *sequence.first_logits;
    draw(sequence, logits);
  }
  if (!together.empty()) step_together(together);
}

void LocalRolloutSource::step_together(std::vector<Sequence*>& sequences) {
  std::vector<DecodeToken> tokens;
  for (Sequence* sequence : sequences) {
    const auto length = static_cast<std::int64_t>(sequence->ids.size());
    tokens.push_back({.id = sequence->ids.back(),
                      .position = length - 1,
                      .cache = &sequence->cache,
                      .row_length = length,
                      .wants_logits = true});
  }
  const std::span<float> logits = decoder().step(tokens);
  const auto vocab = static_cast<std::size_t>(decoder().vocab_size());
  parallel_for_each(static_cast<std::int64_t>(sequences.size()), [&](std::int64_t i) {
    const auto slot = static_cast<std::size_t>(i);
    draw(*sequences[slot], logits.subspan(slot * vocab, vocab));
  });
}

void LocalRolloutSource::draw(Sequence& sequence, std::span<float> logits) const {
  const auto real = std::min<std::size_t>(logits.size(), static_cast<std::size_t>(vocab_size_));
  sequence.ids.push_back(
      sample_token(logits.first(real), sequence.request->sampling, sequence.random));
}

bool LocalRolloutSource::is_end_of_turn(std::int32_t id) const {
  return std::find(end_of_turn_ids_.begin(), end_of_turn_ids_.end(), id) != end_of_turn_ids_.end();
}

}  // namespace aurum::rollout

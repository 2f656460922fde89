#include "rollout/local_rollout_source.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "base/random_stream.h"
#include "model/tensor_memory.h"
#include "rollout/decoder_model.h"
#include "rollout/sampler.h"

namespace aurum::rollout {

namespace {

constexpr std::size_t kMaxActive = 32;     // sequences that step together
constexpr std::size_t kPromptBlock = 256;  // prompt tokens that run together
constexpr std::size_t kMostGuides = 16;    // regular expressions that are kept

}  // namespace

// One request on its way: `ids` is the prompt and what was sampled; all but the last id of a
// running sequence are in the cache.
struct LocalRolloutSource::Sequence {
  std::size_t request_index;
  const RolloutRequest* request;
  std::vector<std::int32_t> ids;
  std::int64_t max_new_tokens;
  RandomStream random;
  kernels::KvCache cache;
  std::int64_t rotary_key;
  std::shared_ptr<const std::vector<float>> first_logits;  // after what run_from_start ran
  bool is_rerun = false;  // made room before: it starts behind its prompt
  TokenGuide* guide = nullptr;
  TokenGuide::State guide_state = {};
  std::shared_ptr<const TokenGuide::Ids> allowed = nullptr;  // of the next draw, with a guide

  std::int64_t num_new() const {
    return static_cast<std::int64_t>(ids.size() - request->prompt_ids.size());
  }
};

LocalRolloutSource::LocalRolloutSource(model::CausalLm& model,
                                       std::vector<std::int32_t> end_of_turn_ids,
                                       std::int64_t vocab_size, LocalRolloutOptions options)
    : make_model_([&model] { return make_decoder_model(model); }),
      end_of_turn_ids_(std::move(end_of_turn_ids)),
      vocab_size_(vocab_size),
      options_(std::move(options)) {}

LocalRolloutSource::LocalRolloutSource(std::function<DecoderModel()> make_model,
                                       std::vector<std::int32_t> end_of_turn_ids,
                                       std::int64_t vocab_size, LocalRolloutOptions options)
    : make_model_(std::move(make_model)),
      end_of_turn_ids_(std::move(end_of_turn_ids)),
      vocab_size_(vocab_size),
      options_(std::move(options)) {
  decoder();
}

LocalRolloutSource::~LocalRolloutSource() = default;

Decoder& LocalRolloutSource::decoder() {
  if (!decoder_) {
    model::release_tensor_memory();  // the packed weights may need as much
    decoder_ = std::make_unique<Decoder>(make_model_());
  }
  return *decoder_;
}

// What one generate() is at.
struct LocalRolloutSource::Batch {
  std::span<const RolloutRequest> requests;
  const TokenCallback& on_token;
  std::vector<Rollout> rollouts;
  KvPool pool;
  std::size_t next_request = 0;
  std::deque<Sequence> waiting = {};  // those that made room, the oldest first
  std::vector<Sequence> active = {};
  bool stopped = false;

  bool is_done() const {
    return stopped || (next_request == requests.size() && waiting.empty() && active.empty());
  }
};

std::vector<Rollout> LocalRolloutSource::generate(std::span<const RolloutRequest> requests,
                                                  const TokenCallback& on_token) {
  if (guides_.size() > kMostGuides) guides_.clear();
  for (const RolloutRequest& request : requests) check_request(request);
  Batch batch{.requests = requests,
              .on_token = on_token,
              .rollouts = std::vector<Rollout>(requests.size()),
              .pool = KvPool(options_.kv_memory, bytes_per_position())};
  while (!batch.is_done()) {
    std::size_t num_running = batch.active.size();
    make_room(batch, num_running);
    while (batch.active.size() < kMaxActive && admit_next(batch)) {
    }
    start(batch.active, num_running);
    advance(std::span(batch.active).first(num_running));
    std::vector<Sequence> unfinished;
    for (Sequence& sequence : batch.active) {
      if (!batch.stopped && deliver(batch, sequence)) {
        batch.pool.give_back(sequence.cache.capacity());
      } else {
        unfinished.push_back(std::move(sequence));
      }
    }
    batch.active = std::move(unfinished);
  }
  peak_kv_bytes_ = batch.pool.peak() * bytes_per_position();
  return std::move(batch.rollouts);
}

// Hands over the newest token of a sequence; true when that was its last.
bool LocalRolloutSource::deliver(Batch& batch, const Sequence& sequence) const {
  const std::int32_t id = sequence.ids.back();
  Rollout& rollout = batch.rollouts[sequence.request_index];
  rollout.completion_ids.push_back(id);
  if (batch.on_token && !batch.on_token(sequence.request_index, id)) batch.stopped = true;
  if (!is_end_of_turn(id)) return sequence.num_new() >= sequence.max_new_tokens;
  rollout.finish_reason = FinishReason::kEndOfTurn;
  return true;
}

// Takes one more sequence in, if there is one and its memory is free.
bool LocalRolloutSource::admit_next(Batch& batch) {
  if (!batch.waiting.empty()) {
    Sequence& sequence = batch.waiting.front();
    const auto length = static_cast<std::int64_t>(sequence.ids.size());
    const std::int64_t capacity = KvPool::whole_blocks(length + 1);
    if (!batch.pool.take(capacity)) return false;
    sequence.cache = decoder().make_cache(capacity);
    sequence.rotary_key = decoder().rotary_key(length);
    batch.active.push_back(std::move(sequence));
    batch.waiting.pop_front();
    return true;
  }
  if (batch.next_request == batch.requests.size()) return false;
  const RolloutRequest& request = batch.requests[batch.next_request];
  const auto prompt_length = static_cast<std::int64_t>(request.prompt_ids.size());
  const std::int64_t capacity =
      KvPool::whole_blocks(options_.kv_memory.is_paged ? prompt_length + 1 : longest(request));
  if (!batch.pool.take(capacity)) return false;
  batch.active.push_back(new_sequence(request, batch.next_request++, capacity));
  return true;
}

// Gives every running sequence a place for the token it is about to run. Where there is not enough,
// the youngest wait until others are done.
void LocalRolloutSource::make_room(Batch& batch, std::size_t& num_running) {
  for (std::size_t i = 0; i < num_running; ++i) {
    while (!grow(batch, batch.active[i])) {
      AURUM_CHECK(num_running > 1, "the budget holds any sequence alone");
      Sequence youngest = std::move(batch.active.back());
      batch.active.pop_back();
      --num_running;
      batch.pool.give_back(youngest.cache.capacity());
      youngest.cache = decoder().make_cache(0);
      youngest.is_rerun = true;
      batch.waiting.push_front(std::move(youngest));
      if (i == num_running) return;  // it was this one
    }
  }
}

bool LocalRolloutSource::grow(Batch& batch, Sequence& sequence) {
  const auto length = static_cast<std::int64_t>(sequence.ids.size());
  const std::int64_t before = sequence.cache.capacity();
  if (length <= before) return true;
  const std::int64_t added = KvPool::whole_blocks(length) - before;
  if (!batch.pool.take(added)) return false;
  kernels::KvCache larger = decoder().make_cache(before + added);
  larger.copy_prefix(sequence.cache, before);
  sequence.cache = std::move(larger);
  return true;
}

std::vector<float> LocalRolloutSource::next_token_logits(std::span<const std::int32_t> ids) {
  RolloutRequest request;
  request.prompt_ids.assign(ids.begin(), ids.end());
  request.sampling.max_new_tokens = 1;
  check_request(request);
  Sequence sequence = new_sequence(request, 0, longest(request));
  start({&sequence, 1}, 0);
  return *sequence.first_logits;
}

TokenGuide* LocalRolloutSource::guide_for(const std::string& regex) {
  if (regex.empty()) return nullptr;
  AURUM_CHECK(options_.tokenizer != nullptr, "this source was made without a tokenizer");
  if (!guide_tokens_) guide_tokens_ = std::make_shared<const GuideTokens>(*options_.tokenizer);
  const auto found = guides_.find(regex);
  if (found != guides_.end()) return found->second.get();
  auto guide = std::make_unique<TokenGuide>(regex, guide_tokens_, end_of_turn_ids_);
  return (guides_[regex] = std::move(guide)).get();
}

void LocalRolloutSource::check_request(const RolloutRequest& request) {
  check_sampling(request.sampling);
  guide_for(request.sampling.regex);
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
  const KvPool pool(options_.kv_memory, bytes_per_position());
  if (!pool.can_ever_hold(KvPool::whole_blocks(longest(request)))) {
    throw InputError(fmt::format(
        "a rollout of {} tokens needs {:.1f} MB of keys and values, and the engine has {:.1f} MB: "
        "give it more memory, or lower training.gold.max_completion_length",
        longest(request), static_cast<double>(longest(request) * bytes_per_position()) / 1e6,
        static_cast<double>(options_.kv_memory.budget_bytes) / 1e6));
  }
}

// New tokens that fit: learned positions end somewhere, rotary ones do not.
std::int64_t LocalRolloutSource::room_for(const RolloutRequest& request) {
  const std::int64_t wanted = request.sampling.max_new_tokens;
  const auto limit = decoder().max_positions();
  if (!limit) return wanted;
  return std::min(wanted, *limit - static_cast<std::int64_t>(request.prompt_ids.size()));
}

// Positions of a sequence that uses all its room.
std::int64_t LocalRolloutSource::longest(const RolloutRequest& request) {
  return static_cast<std::int64_t>(request.prompt_ids.size()) + room_for(request);
}

std::int64_t LocalRolloutSource::bytes_per_position() {
  const weights::ModelConfig& config = decoder().config();
  kernels::AttentionShape shape;
  shape.head_dim = config.head_dim;
  const std::int64_t value_bytes = decoder().make_cache(0).is_bfloat16() ? 2 : 4;
  return 2 * config.num_layers * config.num_kv_heads * shape.padded_head_dim() * value_bytes;
}

LocalRolloutSource::Sequence LocalRolloutSource::new_sequence(const RolloutRequest& request,
                                                              std::size_t index,
                                                              std::int64_t capacity) {
  const auto prompt_length = static_cast<std::int64_t>(request.prompt_ids.size());
  return {.request_index = index,
          .request = &request,
          .ids = request.prompt_ids,
          .max_new_tokens = room_for(request),
          .random = RandomStream(request.seed, "rollout", request.stream_index),
          .cache = decoder().make_cache(capacity),
          .rotary_key = decoder().rotary_key(prompt_length),
          .first_logits = nullptr,
          .guide = guide_for(request.sampling.regex)};
}

// Draws a token of all sequences after the first `num_running`: runs what they have, or takes over
// the cache of an earlier sequence with the same prompt.
void LocalRolloutSource::start(std::span<Sequence> sequences, std::size_t num_running) {
  const auto same_prompt = [&](const Sequence& a) -> const Sequence& {
    return *std::find_if(sequences.begin(), sequences.end(), [&](const Sequence& b) {
      const bool are_fresh = !a.is_rerun && !b.is_rerun;
      return &a == &b || (are_fresh && a.rotary_key == b.rotary_key &&
                          a.request->prompt_ids == b.request->prompt_ids);
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
  for (Sequence& sequence : new_ones) consult_guide(sequence);
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
    consult_guide(sequence);
    draw(sequence, logits);
  }
  if (!together.empty()) step_together(together);
}

void LocalRolloutSource::step_together(std::vector<Sequence*>& sequences) {
  std::vector<DecodeToken> tokens;
  for (Sequence* sequence : sequences) {
    consult_guide(*sequence);  // here, because guides are not thread-safe
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

// Follows what was drawn last and finds out what may come next.
void LocalRolloutSource::consult_guide(Sequence& sequence) const {
  TokenGuide* guide = sequence.guide;
  if (guide == nullptr) return;
  if (sequence.num_new() > 0) {
    sequence.guide_state = guide->advance(sequence.guide_state, sequence.ids.back());
  }
  sequence.allowed = guide->allowed(sequence.guide_state);
}

void LocalRolloutSource::draw(Sequence& sequence, std::span<float> logits) const {
  const SamplingParams& sampling = sequence.request->sampling;
  if (sequence.allowed) {
    // The others do not exist for the sampler: no probability of theirs can be rounded up.
    std::vector<float> chosen;
    for (const std::int32_t id : *sequence.allowed) {
      chosen.push_back(logits[static_cast<std::size_t>(id)]);
    }
    const std::int32_t slot = sample_token(chosen, sampling, sequence.random);
    sequence.ids.push_back((*sequence.allowed)[static_cast<std::size_t>(slot)]);
    return;
  }
  const auto real = std::min<std::size_t>(logits.size(), static_cast<std::size_t>(vocab_size_));
  sequence.ids.push_back(sample_token(logits.first(real), sampling, sequence.random));
}

bool LocalRolloutSource::is_end_of_turn(std::int32_t id) const {
  return std::find(end_of_turn_ids_.begin(), end_of_turn_ids_.end(), id) != end_of_turn_ids_.end();
}

}  // namespace aurum::rollout

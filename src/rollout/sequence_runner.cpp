#include "rollout/sequence_runner.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "rollout/sampler.h"

namespace aurum::rollout {

namespace {

constexpr std::size_t kPromptBlock = 256;  // prompt tokens that run together

// The first of `sequences` whose cache of the prompt `sequence` can take over; itself if none.
const Sequence& first_with_prompt(std::span<const Sequence> sequences, const Sequence& sequence) {
  return *std::find_if(sequences.begin(), sequences.end(), [&](const Sequence& other) {
    const bool are_fresh = !sequence.is_rerun && !other.is_rerun;
    return &sequence == &other || (are_fresh && sequence.rotary_key == other.rotary_key &&
                                   sequence.request->prompt_ids == other.request->prompt_ids);
  });
}

// Follows what was drawn last and finds out what may come next.
void consult_guide(Sequence& sequence) {
  TokenGuide* guide = sequence.guide;
  if (guide == nullptr) return;
  if (sequence.num_new() > 0) {
    sequence.guide_state = guide->advance(sequence.guide_state, sequence.ids.back());
  }
  sequence.allowed = guide->allowed(sequence.guide_state);
}

}  // namespace

void SequenceRunner::start(std::span<Sequence> sequences, std::size_t num_running) const {
  const std::span<Sequence> new_ones = sequences.subspan(num_running);
  std::vector<Sequence*> first_of_prompt;
  for (Sequence& sequence : new_ones) {
    if (&first_with_prompt(sequences, sequence) == &sequence) first_of_prompt.push_back(&sequence);
  }
  run_from_start(first_of_prompt);
  for (Sequence& sequence : new_ones) {
    const Sequence& first = first_with_prompt(sequences, sequence);
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

// Prompts of several sequences stand in one block.
void SequenceRunner::run_from_start(std::span<Sequence* const> sequences) const {
  std::vector<DecodeToken> block;
  std::vector<Sequence*> ending;  // sequences whose last token is in the block
  const auto vocab = static_cast<std::size_t>(decoder_.vocab_size());
  const auto run_block = [&] {
    const std::span<float> logits = decoder_.step(block);
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

void SequenceRunner::advance(std::span<Sequence> sequences) const {
  std::vector<Sequence*> together;
  for (Sequence& sequence : sequences) {
    const std::int64_t key = decoder_.rotary_key(static_cast<std::int64_t>(sequence.ids.size()));
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

void SequenceRunner::step_together(std::span<Sequence* const> sequences) const {
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
  const std::span<float> logits = decoder_.step(tokens);
  const auto vocab = static_cast<std::size_t>(decoder_.vocab_size());
  parallel_for_each(static_cast<std::int64_t>(sequences.size()), [&](std::int64_t i) {
    const auto slot = static_cast<std::size_t>(i);
    draw(*sequences[slot], logits.subspan(slot * vocab, vocab));
  });
}

void SequenceRunner::draw(Sequence& sequence, std::span<float> logits) const {
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

}  // namespace aurum::rollout

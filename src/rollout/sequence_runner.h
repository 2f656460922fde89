#pragma once

#include <cstdint>
#include <span>

#include "rollout/sequence.h"

namespace aurum::rollout {

// Draws the next token of many sequences, which share each pass over the weights.
class SequenceRunner {
 public:
  // Ids at or above `vocab_size` are never drawn. `decoder` outlives this object.
  SequenceRunner(Decoder& decoder, std::int64_t vocab_size)
      : decoder_(decoder), vocab_size_(vocab_size) {}

  // For all sequences after the first `num_running`: runs what they have, or takes over the cache
  // of an earlier sequence with the same prompt.
  void start(std::span<Sequence> sequences, std::size_t num_running) const;
  // For sequences that were started: runs the last token of each.
  void advance(std::span<Sequence> sequences) const;
  // Fills the caches with all ids; sets the logits after the last.
  void run_from_start(std::span<Sequence* const> sequences) const;

 private:
  void step_together(std::span<Sequence* const> sequences) const;
  void draw(Sequence& sequence, std::span<float> logits) const;

  Decoder& decoder_;
  std::int64_t vocab_size_;
};

}  // namespace aurum::rollout

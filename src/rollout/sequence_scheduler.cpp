#include "rollout/sequence_scheduler.h"

#include <utility>

#include "base/error.h"
#include "rollout/request_limits.h"

namespace aurum::rollout {

namespace {

constexpr std::size_t kMaxActive = 32;  // sequences that step together

}  // namespace

Sequence make_sequence(const RolloutRequest& request, std::size_t index, const Decoder& decoder,
                       std::int64_t capacity, TokenGuide* guide) {
  const auto prompt_length = static_cast<std::int64_t>(request.prompt_ids.size());
  return {.request_index = index,
          .request = &request,
          .ids = request.prompt_ids,
          .max_new_tokens = room_for(request, decoder),
          .random = RandomStream(request.seed, "rollout", request.stream_index),
          .cache = decoder.make_cache(capacity),
          .rotary_key = decoder.rotary_key(prompt_length),
          .guide = guide};
}

SequenceScheduler::SequenceScheduler(std::span<const RolloutRequest> requests,
                                     const Decoder& decoder, GuideCache& guides,
                                     const KvMemory& memory, std::int64_t kv_bytes_per_position)
    : requests_(requests),
      decoder_(decoder),
      guides_(guides),
      is_paged_(memory.is_paged),
      pool_(memory, kv_bytes_per_position) {}

bool SequenceScheduler::is_done() const {
  return next_request_ == requests_.size() && waiting_.empty() && active_.empty();
}

void SequenceScheduler::make_room() {
  for (std::size_t i = 0; i < active_.size(); ++i) {
    while (!grow(active_[i])) {
      AURUM_CHECK(active_.size() > 1, "the budget holds any sequence alone");
      Sequence youngest = std::move(active_.back());
      active_.pop_back();
      pool_.give_back(youngest.cache.capacity());
      youngest.cache = decoder_.make_cache(0);
      youngest.is_rerun = true;
      waiting_.push_front(std::move(youngest));
      if (i == active_.size()) return;  // it was this one
    }
  }
}

bool SequenceScheduler::grow(Sequence& sequence) {
  const auto length = static_cast<std::int64_t>(sequence.ids.size());
  const std::int64_t before = sequence.cache.capacity();
  if (length <= before) return true;
  const std::int64_t added = KvPool::whole_blocks(length) - before;
  if (!pool_.take(added)) return false;
  kernels::KvCache larger = decoder_.make_cache(before + added);
  larger.copy_prefix(sequence.cache, before);
  sequence.cache = std::move(larger);
  return true;
}

void SequenceScheduler::admit() {
  while (active_.size() < kMaxActive && (waiting_.empty() ? admit_new() : admit_waiting())) {
  }
}

bool SequenceScheduler::admit_waiting() {
  Sequence& sequence = waiting_.front();
  const auto length = static_cast<std::int64_t>(sequence.ids.size());
  const std::int64_t capacity = KvPool::whole_blocks(length + 1);
  if (!pool_.take(capacity)) return false;
  sequence.cache = decoder_.make_cache(capacity);
  sequence.rotary_key = decoder_.rotary_key(length);
  active_.push_back(std::move(sequence));
  waiting_.pop_front();
  return true;
}

bool SequenceScheduler::admit_new() {
  if (next_request_ == requests_.size()) return false;
  const RolloutRequest& request = requests_[next_request_];
  const auto prompt_length = static_cast<std::int64_t>(request.prompt_ids.size());
  const std::int64_t capacity =
      KvPool::whole_blocks(is_paged_ ? prompt_length + 1 : longest_length(request, decoder_));
  if (!pool_.take(capacity)) return false;
  active_.push_back(make_sequence(request, next_request_++, decoder_, capacity,
                                  guides_.find(request.sampling.regex)));
  return true;
}

void SequenceScheduler::remove_if(const std::function<bool(const Sequence&)>& is_finished) {
  std::vector<Sequence> unfinished;
  for (Sequence& sequence : active_) {
    if (is_finished(sequence)) {
      pool_.give_back(sequence.cache.capacity());
    } else {
      unfinished.push_back(std::move(sequence));
    }
  }
  active_ = std::move(unfinished);
}

}  // namespace aurum::rollout

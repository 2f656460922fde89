#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "rollout/guided/guide_cache.h"
#include "rollout/kv_pool.h"
#include "rollout/sequence.h"

namespace aurum::rollout {

// Decides which of many requests run together: as many as have memory for their keys and values, in
// their order. Between two tokens: make_room() for those that run, then admit() others.
class SequenceScheduler {
 public:
  // All arguments outlive this object.
  SequenceScheduler(std::span<const RolloutRequest> requests, const Decoder& decoder,
                    GuideCache& guides, const KvMemory& memory, std::int64_t kv_bytes_per_position);

  bool is_done() const;
  // Those that run, the oldest first.
  std::span<Sequence> active() { return active_; }
  // Gives every running sequence a place for the token it is about to run. Where there is not
  // enough, the youngest wait until others are done.
  void make_room();
  // Takes more sequences in, behind those that run: first those that made room.
  void admit();
  void remove_if(const std::function<bool(const Sequence&)>& is_finished);

  std::int64_t peak_positions() const { return pool_.peak(); }

 private:
  bool grow(Sequence& sequence);
  bool admit_waiting();
  bool admit_new();

  std::span<const RolloutRequest> requests_;
  const Decoder& decoder_;
  GuideCache& guides_;
  bool is_paged_;
  KvPool pool_;
  std::size_t next_request_ = 0;
  std::deque<Sequence> waiting_;  // those that made room, the oldest first
  std::vector<Sequence> active_;
};

// A sequence that has run nothing yet.
Sequence make_sequence(const RolloutRequest& request, std::size_t index, const Decoder& decoder,
                       std::int64_t capacity, TokenGuide* guide);

}  // namespace aurum::rollout

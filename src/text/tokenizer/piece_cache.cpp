#include "text/tokenizer/piece_cache.h"

#include <memory>

namespace aurum::text {
namespace {

// A student's and a teacher's tokenizer take turns; more at once is unusual.
struct ThreadCaches {
  struct Slot {
    std::uint64_t serial = 0;
    std::unique_ptr<PieceCache> cache;
  };
  std::array<Slot, 4> slots;
  std::size_t next = 0;
};

}  // namespace

PieceCache& PieceCache::of_model(std::uint64_t serial) {
  thread_local ThreadCaches caches;
  for (ThreadCaches::Slot& slot : caches.slots) {
    if (slot.serial == serial) return *slot.cache;
  }
  ThreadCaches::Slot& slot = caches.slots[caches.next++ % caches.slots.size()];
  slot = {serial, std::make_unique<PieceCache>()};
  return *slot.cache;
}

}  // namespace aurum::text

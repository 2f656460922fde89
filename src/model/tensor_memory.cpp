#include "model/tensor_memory.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include "base/aligned_buffer.h"

namespace aurum::model {

namespace {

constexpr std::size_t kLarge = std::size_t{1} << 20;  // smaller blocks are the C library's

// Large blocks in use, and those that wait to be used again. Thread-safe.
class BlockPool {
 public:
  explicit BlockPool(std::size_t limit) : limit_(limit) {}

  void* take(std::size_t size) {
    const std::lock_guard lock(mutex_);
    void* block = nullptr;
    const auto fit = best_fit(size);
    if (fit != waiting_.end()) {
      block = fit->data;
      size = fit->size;
      waiting_size_ -= size;
      waiting_.erase(fit);
    } else {
      shrink_to(allowance(used_size_ + size));
      block = allocate_aligned(size);
    }
    in_use_.emplace(block, size);
    used_size_ += size;
    most_used_ = std::max(most_used_, used_size_);
    return block;
  }

  // False for a block that is not from here.
  bool give_back(void* block) {
    const std::lock_guard lock(mutex_);
    const auto found = in_use_.find(block);
    if (found == in_use_.end()) return false;
    const std::size_t size = found->second;
    in_use_.erase(found);
    used_size_ -= size;
    waiting_.push_back({block, size});
    waiting_size_ += size;
    shrink_to(allowance(used_size_));
    return true;
  }

  void release() {
    const std::lock_guard lock(mutex_);
    shrink_to(0);
  }

 private:
  struct Block {
    void* data;
    std::size_t size;
  };

  // What may wait while `used` bytes are in use.
  std::size_t allowance(std::size_t used) const {
    return std::max(most_used_, used) + limit_ - used;
  }

  // The smallest that is large enough, but not by more than an eighth.
  std::vector<Block>::iterator best_fit(std::size_t size) {
    auto best = waiting_.end();
    for (auto block = waiting_.begin(); block != waiting_.end(); ++block) {
      if (block->size < size || block->size > size + size / 8) continue;
      if (best == waiting_.end() || block->size < best->size) best = block;
    }
    return best;
  }

  // Those that have waited longest go first: their phase of the work may be over.
  void shrink_to(std::size_t size) {
    auto block = waiting_.begin();
    for (; waiting_size_ > size; ++block) {
      std::free(block->data);
      waiting_size_ -= block->size;
    }
    waiting_.erase(waiting_.begin(), block);
  }

  const std::size_t limit_;
  std::mutex mutex_;
  std::size_t used_size_ = 0, most_used_ = 0, waiting_size_ = 0;
  std::vector<Block> waiting_;  // from the one that has waited longest
  std::unordered_map<void*, std::size_t> in_use_;
};

// Never destroyed: tensors in static storage are freed last.
BlockPool* pool = nullptr;

void free_block(void* block) {
  if (block != nullptr && !pool->give_back(block)) std::free(block);
}

class KeepingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t size) override {
    if (size == 0) return {nullptr, nullptr, &free_block, c10::Device(c10::DeviceType::CPU)};
    void* block = size >= kLarge ? pool->take(size) : allocate_aligned(size);
    return {block, block, &free_block, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_block; }
  void copy_data(void* to, const void* from, std::size_t size) const override {
    default_copy_data(to, from, size);
  }
};

}  // namespace

void keep_tensor_memory(std::size_t limit) {
  static const bool kInstalled = [&] {
    pool = new BlockPool(limit);
    c10::SetCPUAllocator(new KeepingAllocator, 1);
    return true;
  }();
  static_cast<void>(kInstalled);
}

void release_tensor_memory() {
  if (pool == nullptr) return;
  pool->release();
  malloc_trim(0);
}

}  // namespace aurum::model

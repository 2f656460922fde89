#pragma once

#include <cstdint>
#include <vector>

namespace aurum::text {

// Open-addressing hash from 64-bit keys to 64-bit values, filled once. The key ~0 is reserved.
class FlatMap {
 public:
  explicit FlatMap(std::size_t expected = 0) { resize(expected); }

  void set(std::uint64_t key, std::uint64_t value) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    Slot& slot = find_slot(key);
    if (slot.key == kEmpty) ++size_;
    slot = {key, value};
  }
  const std::uint64_t* find(std::uint64_t key) const {
    const Slot& slot = const_cast<FlatMap*>(this)->find_slot(key);
    return slot.key == kEmpty ? nullptr : &slot.value;
  }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t key = kEmpty;
    std::uint64_t value = 0;
  };

  void resize(std::size_t expected) {
    std::size_t capacity = 16;
    while (capacity < expected * 2) capacity *= 2;
    slots_.assign(capacity, Slot{});
    shift_ = 64;
    for (std::size_t c = capacity; c > 1; c /= 2) --shift_;
  }
  Slot& find_slot(std::uint64_t key) {
    std::size_t i = (key * 0x9E3779B97F4A7C15ULL) >> shift_;
    while (slots_[i].key != key && slots_[i].key != kEmpty) i = (i + 1) & (slots_.size() - 1);
    return slots_[i];
  }
  void grow() {
    std::vector<Slot> old = std::move(slots_);
    resize(old.size());
    size_ = 0;
    for (const Slot& slot : old) {
      if (slot.key != kEmpty) set(slot.key, slot.value);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
  int shift_ = 0;
};

}  // namespace aurum::text

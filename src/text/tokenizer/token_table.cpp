#include "text/tokenizer/token_table.h"

#include <algorithm>

namespace aurum::text {
namespace {

constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15ULL;

std::uint64_t load(const char* from, std::size_t count) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, count);
  return value;
}

// Up to 7 bytes, in loads of fixed sizes.
std::uint64_t load_tail(const char* from, std::size_t count) {
  if (count >= 4) return load(from, 4) | load(from + count - 4, 4) << 32;
  if (count == 0) return 0;
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(from[i]));
  };
  return byte(0) | byte(count / 2) << 8 | byte(count - 1) << 16;
}

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  const auto product = static_cast<unsigned __int128>(hash ^ word) * kFactor;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::uint64_t hash_bytes(std::string_view bytes) {
  std::uint64_t hash = bytes.size() + 0x1234567;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) hash = mix(hash, load(at, 8));
  return mix(mix(hash, load_tail(at, left)), kFactor);
}

TokenTable::TokenTable(std::size_t expected) {
  std::size_t capacity = 16;
  while (capacity < expected * 2) capacity *= 2;
  slots_.resize(capacity);
}

std::size_t TokenTable::slot_of(std::string_view token, std::uint64_t hash) const {
  const auto check = static_cast<std::uint32_t>(hash >> 32);
  std::size_t i = hash & (slots_.size() - 1);
  while (slots_[i].id >= 0) {
    const Slot& slot = slots_[i];
    if (slot.check == check && slot.length == token.size() &&
        std::memcmp(bytes_.data() + slot.offset, token.data(), token.size()) == 0) {
      break;
    }
    i = (i + 1) & (slots_.size() - 1);
  }
  return i;
}

std::optional<TokenId> TokenTable::find(std::string_view token, std::uint64_t hash) const {
  const TokenId id = slots_[slot_of(token, hash)].id;
  return id < 0 ? std::nullopt : std::optional(id);
}

void TokenTable::set(std::string_view token, TokenId id) {
  if ((size_ + 1) * 2 > slots_.size()) grow();
  const std::uint64_t hash = hash_bytes(token);
  Slot& slot = slots_[slot_of(token, hash)];
  if (slot.id < 0) {
    slot.offset = static_cast<std::uint32_t>(bytes_.size());
    slot.length = static_cast<std::uint32_t>(token.size());
    slot.check = static_cast<std::uint32_t>(hash >> 32);
    bytes_ += token;
    ++size_;
    longest_ = std::max(longest_, token.size());
  }
  slot.id = id;
}

void TokenTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.id < 0) continue;
    const std::string_view token = std::string_view(bytes_).substr(slot.offset, slot.length);
    slots_[slot_of(token, hash_bytes(token))] = slot;
  }
}

}  // namespace aurum::text

#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/tokenizer.h"

namespace aurum::text {

std::uint64_t hash_bytes(std::string_view bytes);

// Open-addressing hash from byte strings to token ids. The strings lie in one block, so that a
// vocabulary loads fast and look-ups need no allocation.
class TokenTable {
 public:
  explicit TokenTable(std::size_t expected = 0);
  // Replaces the id when the token is there already.
  void set(std::string_view token, TokenId id);
  std::optional<TokenId> find(std::string_view token) const {
    return find(token, hash_bytes(token));
  }
  std::optional<TokenId> find(std::string_view token, std::uint64_t hash) const;
  std::size_t longest() const { return longest_; }
  bool empty() const { return size_ == 0; }

 private:
  struct Slot {
    std::uint32_t offset = 0, length = 0;
    std::uint32_t check = 0;  // the hash bits that do not choose the slot
    TokenId id = -1;          // -1: free
  };
  std::size_t slot_of(std::string_view token, std::uint64_t hash) const;
  void grow();

  std::string bytes_;
  std::vector<Slot> slots_;
  std::size_t size_ = 0, longest_ = 0;
};

}  // namespace aurum::text

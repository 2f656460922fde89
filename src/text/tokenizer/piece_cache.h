#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/model.h"

namespace aurum::text {

// The tokens of pieces that came up lately. One per thread and direct-mapped: a new piece replaces
// the one in its slot, so memory stays bounded.
class PieceCache {
 public:
  // Longer pieces hardly repeat.
  static constexpr std::size_t kLongestPiece = 128;

  struct Entry {
    std::string piece;
    std::vector<ModelToken> tokens;  // begins count from the piece's start
  };

  PieceCache() : entries_(kEntries) {}
  // The slot for a piece with this hash; it holds the piece if `entry.piece` equals it.
  Entry& slot(std::uint64_t hash) { return entries_[hash % kEntries]; }

  // This thread's cache for the model with this serial number (from 1).
  static PieceCache& of_model(std::uint64_t serial);

 private:
  static constexpr std::size_t kEntries = 1 << 14;
  std::vector<Entry> entries_;
};

}  // namespace aurum::text

#pragma once

#include <cstdint>
#include <vector>

#include "text/tokenizer/bpe_model.h"

namespace aurum::text {

// What merging a word needs; kept to save allocations.
struct BpeModel::Scratch {
  struct Link {
    std::int32_t previous, next;
    std::uint32_t rank;  // of the merge with the next symbol; kNoMerge: there is none
    TokenId merged;      // what that merge gives
  };
  std::vector<Symbol> symbols;
  std::vector<Link> links;
  std::vector<std::uint64_t> heap;  // rank, then position
};

inline std::uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

}  // namespace aurum::text

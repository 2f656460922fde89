// How BPE merges the symbols of a word: the pair with the lowest rank first, the leftmost among
// equals. Short words scan all pairs for each merge; long ones keep the pairs in a heap.
#include <algorithm>
#include <functional>

#include "text/tokenizer/bpe_model.h"
#include "text/tokenizer/bpe_scratch.h"

namespace aurum::text {
namespace {

// Up to here a scan over all pairs beats the heap.
constexpr std::size_t kShortWord = 24;

constexpr std::uint32_t kNoMerge = ~std::uint32_t{0};
constexpr TokenId kDead = -1;

struct Merge {
  std::uint32_t rank = kNoMerge;
  TokenId id = kDead;
};

Merge find_merge(const FlatMap& merges, TokenId left, TokenId right) {
  const std::uint64_t* found = merges.find(pair_key(left, right));
  if (found == nullptr) return {};
  return {static_cast<std::uint32_t>(*found >> 32), static_cast<TokenId>(*found & 0xFFFFFFFF)};
}

}  // namespace

void BpeModel::merge_short(std::vector<Symbol>& symbols) const {
  std::array<Merge, kShortWord> pairs;
  const auto look_up = [&](std::size_t i) {
    pairs[i] =
        i + 1 < symbols.size() ? find_merge(merges_, symbols[i].id, symbols[i + 1].id) : Merge{};
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) look_up(i);
  while (symbols.size() > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < symbols.size(); ++i) {
      if (pairs[i].rank < pairs[best].rank) best = i;
    }
    if (pairs[best].rank == kNoMerge) return;
    symbols[best].id = pairs[best].id;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    std::move(pairs.begin() + static_cast<std::ptrdiff_t>(best) + 2,
              pairs.begin() + static_cast<std::ptrdiff_t>(symbols.size()) + 1,
              pairs.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    look_up(best);
    if (best > 0) look_up(best - 1);
  }
}

void BpeModel::merge_long(Scratch& scratch) const {
  auto& [symbols, links, heap] = scratch;
  const auto symbol = [&](std::int32_t i) -> Symbol& {
    return scratch.symbols[static_cast<std::size_t>(i)];
  };
  const auto link = [&](std::int32_t i) -> Scratch::Link& {
    return scratch.links[static_cast<std::size_t>(i)];
  };
  // Looks up the merge of symbol `i` with the next one and queues it.
  const auto consider = [&](std::int32_t i) {
    Merge merge;
    if (link(i).next >= 0) merge = find_merge(merges_, symbol(i).id, symbol(link(i).next).id);
    link(i).rank = merge.rank;
    link(i).merged = merge.id;
    if (merge.rank == kNoMerge) return false;
    scratch.heap.push_back(static_cast<std::uint64_t>(merge.rank) << 32 |
                           static_cast<std::uint32_t>(i));
    return true;
  };
  const auto requeue = [&](std::int32_t i) {
    if (consider(i)) std::push_heap(scratch.heap.begin(), scratch.heap.end(), std::greater<>());
  };
  const auto count = static_cast<std::int32_t>(symbols.size());
  links.resize(symbols.size());
  heap.clear();
  for (std::int32_t i = 0; i < count; ++i) {
    link(i).previous = i - 1;
    link(i).next = i + 1 < count ? i + 1 : -1;
    consider(i);
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const std::uint64_t top = heap.back();
    heap.pop_back();
    const auto i = static_cast<std::int32_t>(top & 0xFFFFFFFF);
    // An entry is stale when its pair has changed since; no other pair has the same rank.
    if (symbol(i).id == kDead || link(i).rank != top >> 32) continue;
    const std::int32_t dead = link(i).next;
    symbol(i).id = link(i).merged;
    symbol(dead).id = kDead;
    link(i).next = link(dead).next;
    if (link(i).next >= 0) link(link(i).next).previous = i;
    requeue(i);
    if (link(i).previous >= 0) requeue(link(i).previous);
  }
  std::erase_if(symbols, [](const Symbol& s) { return s.id == kDead; });
}

void BpeModel::merge_all(std::string_view piece, Scratch& scratch) const {
  split_into_symbols(piece, scratch.symbols);
  if (scratch.symbols.size() <= kShortWord) {
    merge_short(scratch.symbols);
  } else {
    merge_long(scratch);
  }
}

}  // namespace aurum::text

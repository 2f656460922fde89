#include "text/tokenizer/bpe_model.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/parallel.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

// Up to here a scan over all pairs beats the heap.
constexpr std::size_t kShortPiece = 24;

std::uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<unsigned char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  const int high = hex_digit(token[3]), low = hex_digit(token[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<unsigned char>(high * 16 + low);
}

struct BpeModel::Scratch {
  struct Candidate {
    std::uint32_t rank;
    std::int32_t position;
    TokenId id;
    // std::push_heap keeps the greatest on top: the lowest rank, then the leftmost.
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

BpeModel::BpeModel(const BpeDefinition& definition, bool byte_level, const std::string& source)
    : byte_level_(byte_level),
      fuse_unk_(definition.fuse_unk),
      byte_fallback_(definition.byte_fallback),
      ignore_merges_(definition.ignore_merges) {
  byte_ids_.fill(-1);
  id_by_token_.reserve(definition.vocabulary.size());
  std::string bytes;
  for (std::size_t id = 0; id < definition.vocabulary.size(); ++id) {
    const std::string& token = definition.vocabulary[id];
    if (token.empty()) continue;
    const auto token_id = static_cast<TokenId>(id);
    id_by_token_.emplace(token, token_id);
    if (utf8_length(token[0]) == token.size()) {
      std::size_t p = 0;
      char_ids_.set(next_code_point(token, p), id);
      if (byte_level_ && bytes_of_alphabet(token, bytes)) {
        byte_ids_[static_cast<unsigned char>(bytes[0])] = token_id;
      }
    }
    const auto byte = byte_of_token(token);
    if (!byte_level_ && byte) byte_ids_[*byte] = token_id;
  }
  if (definition.unk_token) unk_ = id_of(*definition.unk_token);
  read_merges(definition, source);
  index_whole_tokens(definition);
}

std::optional<TokenId> BpeModel::id_of(std::string_view token) const {
  const auto it = id_by_token_.find(std::string(token));
  if (it == id_by_token_.end()) return std::nullopt;
  return it->second;
}

void BpeModel::read_merges(const BpeDefinition& definition, const std::string& source) {
  merges_ = FlatMap(definition.merges.size() + 1);
  std::string joined;
  for (std::size_t rank = 0; rank < definition.merges.size(); ++rank) {
    const auto& [left, right] = definition.merges[rank];
    joined = left + right;
    const auto left_id = id_of(left), right_id = id_of(right), id = id_of(joined);
    if (!left_id || !right_id || !id) {
      throw FormatError(
          fmt::format("{}: merge {} ({} + {}) needs a token that the vocabulary does not have",
                      source, rank, left, right));
    }
    merges_.set(pair_key(*left_id, *right_id), rank << 32 | static_cast<std::uint32_t>(*id));
  }
}

// Most pieces of running text are one token. Knowing which tokens come out of their own bytes as
// themselves answers those with one look-up.
void BpeModel::index_whole_tokens(const BpeDefinition& definition) {
  if (!byte_level_ && !ignore_merges_) return;
  const std::size_t count = definition.vocabulary.size();
  std::vector<std::string> bytes(count);
  std::vector<char> whole(count, 0);
  parallel_for(static_cast<std::int64_t>(count), 4096, [&](std::int64_t begin, std::int64_t end) {
    Scratch scratch;
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const std::string& token = definition.vocabulary[i];
      if (token.empty()) continue;
      if (!byte_level_) {
        bytes[i] = token;
      } else if (!bytes_of_alphabet(token, bytes[i])) {
        continue;
      }
      if (ignore_merges_) {
        whole[i] = 1;
        continue;
      }
      merge_all(bytes[i], scratch);
      whole[i] = scratch.symbols.size() == 1 && scratch.symbols[0].id == static_cast<TokenId>(i);
    }
  });
  for (std::size_t i = 0; i < count; ++i) {
    if (whole[i] == 0) continue;
    longest_whole_token_ = std::max(longest_whole_token_, bytes[i].size());
    whole_tokens_.emplace(std::move(bytes[i]), static_cast<TokenId>(i));
  }
}

bool BpeModel::find_merge(TokenId left, TokenId right, Merge& merge) const {
  const std::uint64_t* found = merges_.find(pair_key(left, right));
  if (found == nullptr) return false;
  merge = {static_cast<std::uint32_t>(*found >> 32), static_cast<TokenId>(*found & 0xFFFFFFFF)};
  return true;
}

bool BpeModel::push_byte_tokens(std::string_view character, std::uint32_t begin,
                                std::vector<Symbol>& symbols) const {
  for (const char byte : character) {
    if (byte_ids_[static_cast<unsigned char>(byte)] < 0) return false;
  }
  for (std::uint32_t i = 0; i < character.size(); ++i) {
    symbols.push_back({byte_ids_[static_cast<unsigned char>(character[i])], begin + i, 0, 0});
  }
  return true;
}

void BpeModel::split_into_symbols(std::string_view piece, std::vector<Symbol>& symbols) const {
  symbols.clear();
  std::optional<std::uint32_t> pending_unk;  // where the unknown characters begin
  const auto flush_unk = [&] {
    if (!pending_unk) return;
    // It may come after byte tokens that were pushed meanwhile (as in Hugging Face).
    const std::uint32_t begin =
        symbols.empty() ? *pending_unk : std::max(*pending_unk, symbols.back().begin);
    symbols.push_back({*unk_, begin, 0, 0});
    pending_unk.reset();
  };
  for (std::size_t p = 0; p < piece.size();) {
    const std::size_t begin = p;
    const auto at = static_cast<std::uint32_t>(begin);
    TokenId id = -1;
    if (byte_level_) {
      id = byte_ids_[static_cast<unsigned char>(piece[p++])];
    } else if (const auto* found = char_ids_.find(next_code_point(piece, p))) {
      id = static_cast<TokenId>(*found);
    }
    if (id >= 0) {
      flush_unk();
      symbols.push_back({id, at, 0, 0});
      continue;
    }
    if (byte_fallback_ && !byte_level_ &&
        push_byte_tokens(piece.substr(begin, p - begin), at, symbols)) {
      continue;
    }
    if (!unk_) continue;  // dropped without a trace, as in Hugging Face
    if (pending_unk && fuse_unk_) continue;
    flush_unk();
    pending_unk = at;
  }
  flush_unk();
}

void BpeModel::merge_short(std::vector<Symbol>& symbols) const {
  constexpr std::uint32_t kNoMerge = ~std::uint32_t{0};
  std::array<Merge, kShortPiece> pairs{};
  const auto look_up = [&](std::size_t i) {
    Merge merge{kNoMerge, -1};
    if (i + 1 < symbols.size()) find_merge(symbols[i].id, symbols[i + 1].id, merge);
    pairs[i] = merge;
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

void BpeModel::merge_long(std::vector<Symbol>& symbols, Scratch& scratch) const {
  auto& heap = scratch.heap;
  heap.clear();
  const auto count = static_cast<std::int32_t>(symbols.size());
  const auto at = [&](std::int32_t i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  const auto candidate = [&](std::int32_t i) {
    Merge merge{};
    if (i < 0 || at(i).next < 0 || !find_merge(at(i).id, at(at(i).next).id, merge)) return false;
    heap.push_back({merge.rank, i, merge.id});
    return true;
  };
  for (std::int32_t i = 0; i < count; ++i) {
    at(i).previous = i - 1;
    at(i).next = i + 1 < count ? i + 1 : -1;
  }
  for (std::int32_t i = 0; i < count; ++i) candidate(i);
  std::make_heap(heap.begin(), heap.end());
  constexpr TokenId kDead = -1;
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const Scratch::Candidate top = heap.back();
    heap.pop_back();
    Symbol& left = at(top.position);
    if (left.id == kDead || left.next < 0) continue;
    // An entry is stale when its pair has changed since.
    Symbol& right = at(left.next);
    Merge merge{};
    if (!find_merge(left.id, right.id, merge) || merge.id != top.id) continue;
    left.id = top.id;
    left.next = right.next;
    right.id = kDead;
    if (left.next >= 0) at(left.next).previous = top.position;
    if (candidate(left.previous)) std::push_heap(heap.begin(), heap.end());
    if (candidate(top.position)) std::push_heap(heap.begin(), heap.end());
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.id == kDead; });
}

void BpeModel::merge_all(std::string_view piece, Scratch& scratch) const {
  split_into_symbols(piece, scratch.symbols);
  if (scratch.symbols.size() <= kShortPiece) {
    merge_short(scratch.symbols);
  } else {
    merge_long(scratch.symbols, scratch);
  }
}

void BpeModel::tokenize(std::string_view piece, std::uint32_t base,
                        std::vector<ModelToken>& out) const {
  thread_local Scratch scratch;
  if (piece.size() <= longest_whole_token_) {
    thread_local std::string key;
    key.assign(piece);
    const auto it = whole_tokens_.find(key);
    if (it != whole_tokens_.end()) {
      out.push_back({it->second, base});
      return;
    }
  }
  merge_all(piece, scratch);
  for (const Symbol& symbol : scratch.symbols) out.push_back({symbol.id, base + symbol.begin});
}

}  // namespace aurum::text

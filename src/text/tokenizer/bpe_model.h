#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer/definition.h"
#include "text/tokenizer/flat_map.h"

namespace aurum::text {

// A token of a piece and the byte of the piece at which it starts.
struct ModelToken {
  TokenId id;
  std::uint32_t begin;
};

// Byte pair encoding over bytes (`byte_level`: the vocabulary is written in GPT-2's byte alphabet)
// or over characters. O(n log n) in the length of a piece. Thread-safe.
class BpeModel {
 public:
  BpeModel(const BpeDefinition& definition, bool byte_level, const std::string& source);

  // Appends the tokens of `piece`; their begins count from `base`.
  void tokenize(std::string_view piece, std::uint32_t base, std::vector<ModelToken>& out) const;
  std::optional<TokenId> id_of(std::string_view token) const;

 private:
  struct Symbol {
    TokenId id;
    std::uint32_t begin;
    std::int32_t previous;
    std::int32_t next;
  };
  struct Merge {
    std::uint32_t rank;
    TokenId id;
  };
  struct Scratch;

  void read_merges(const BpeDefinition& definition, const std::string& source);
  void index_whole_tokens(const BpeDefinition& definition);
  void split_into_symbols(std::string_view piece, std::vector<Symbol>& symbols) const;
  bool push_byte_tokens(std::string_view character, std::uint32_t begin,
                        std::vector<Symbol>& symbols) const;
  // False when the pair does not merge.
  bool find_merge(TokenId left, TokenId right, Merge& merge) const;
  void merge_short(std::vector<Symbol>& symbols) const;
  void merge_long(std::vector<Symbol>& symbols, Scratch& scratch) const;
  void merge_all(std::string_view piece, Scratch& scratch) const;

  bool byte_level_;
  bool fuse_unk_, byte_fallback_, ignore_merges_;
  std::optional<TokenId> unk_;
  std::unordered_map<std::string, TokenId> id_by_token_;
  FlatMap char_ids_;                     // code point -> id of the one-character token
  std::array<TokenId, 256> byte_ids_{};  // byte level: the token of a byte; else <0xXX>; -1: none
  FlatMap merges_;                       // (left, right) -> (rank, id)
  // Pieces that are known to give exactly one token.
  std::unordered_map<std::string, TokenId> whole_tokens_;
  std::size_t longest_whole_token_ = 0;
};

// The byte that a token such as <0x41> stands for.
std::optional<unsigned char> byte_of_token(std::string_view token);

}  // namespace aurum::text

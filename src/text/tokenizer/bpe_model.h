#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/flat_map.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/token_table.h"

namespace aurum::text {

// Byte pair encoding over bytes (`byte_level`: the vocabulary is written in GPT-2's byte alphabet)
// or over characters. O(n log n) in the length of a piece.
class BpeModel : public Model {
 public:
  BpeModel(const ModelDefinition& definition, bool byte_level, const std::string& source);

  void tokenize(std::string_view piece, std::uint32_t base,
                std::vector<ModelToken>& out) const override;
  std::optional<TokenId> id_of(std::string_view token) const override;

 private:
  struct Symbol {
    TokenId id;
    std::uint32_t begin;
  };
  struct Scratch;

  void read_vocabulary(const ModelDefinition& definition);
  void read_merges(const BpeDefinition& bpe, const std::string& source);
  void note_joint(std::string_view left, std::string_view right);
  void index_whole_tokens(const ModelDefinition& definition);
  bool may_join(std::string_view text, std::size_t position, std::size_t previous) const;
  TokenId char_id(std::string_view character, bool first, bool last) const;
  void split_into_symbols(std::string_view piece, std::vector<Symbol>& symbols) const;
  bool push_byte_tokens(std::string_view character, std::uint32_t begin,
                        std::vector<Symbol>& symbols) const;
  void merge_short(std::vector<Symbol>& symbols) const;
  void merge_long(Scratch& scratch) const;
  void merge_all(std::string_view piece, Scratch& scratch) const;
  void tokenize_word(std::string_view word, std::uint32_t base, std::vector<ModelToken>& out) const;

  std::uint64_t serial_;  // distinguishes models in the caches of a thread
  bool byte_level_;
  bool fuse_unk_, byte_fallback_, ignore_merges_;
  std::string prefix_, suffix_;
  std::optional<TokenId> unk_;
  TokenTable ids_;
  FlatMap char_ids_;                     // code point -> id of the one-character token
  std::array<TokenId, 256> byte_ids_{};  // byte level: the token of a byte; else <0xXX>; -1: none
  FlatMap merges_;                       // (left, right) -> (rank, id)
  TokenTable whole_tokens_;              // pieces that are known to give exactly one token
  // Pairs of characters at which some merge joins its two sides. A word can be cut anywhere else.
  bool cuts_words_ = false;
  FlatMap joints_;
  std::bitset<128 * 128> ascii_joints_;
};

}  // namespace aurum::text

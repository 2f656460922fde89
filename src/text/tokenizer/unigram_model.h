#pragma once

#include "text/tokenizer/flat_map.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/token_table.h"

namespace aurum::text {

// SentencePiece's unigram language model: the tokens whose scores add up to the most (Viterbi).
// O(length of the piece times the longest token).
class UnigramModel : public Model {
 public:
  UnigramModel(const ModelDefinition& definition, const std::string& source);

  void tokenize(std::string_view piece, std::uint32_t base,
                std::vector<ModelToken>& out) const override;
  std::optional<TokenId> id_of(std::string_view token) const override;

 private:
  // The best way to reach a byte of the piece: the token that ends there, and where it begins.
  struct Node {
    double score = 0;
    std::uint32_t begin = 0;
    TokenId id = -1;  // -1: not reached
  };
  void reach(std::string_view piece, std::vector<Node>& nodes) const;
  void push_unknown(std::string_view text, std::uint32_t begin, std::vector<ModelToken>& out) const;

  std::string source_;
  TokenTable ids_;
  FlatMap edges_;                    // trie: node * 256 + byte -> node
  std::vector<TokenId> id_of_node_;  // the token that ends at a trie node, or -1
  std::vector<double> scores_;
  double unk_score_ = 0;
  std::optional<TokenId> unk_;
  bool byte_fallback_;
};

}  // namespace aurum::text

#pragma once

#include "text/tokenizer/model.h"
#include "text/tokenizer/token_table.h"

namespace aurum::text {

// BERT's WordPiece: the longest token that begins the word, then the longest that continues it
// (written with "##"), and so on; one unknown token for a word that cannot be put together.
class WordPieceModel : public Model {
 public:
  WordPieceModel(const ModelDefinition& definition, const std::string& source);

  void tokenize(std::string_view piece, std::uint32_t base,
                std::vector<ModelToken>& out) const override;
  std::optional<TokenId> id_of(std::string_view token) const override;

 private:
  // False, with `out` unspecified behind its first tokens, when a part has no token.
  bool split(std::string_view word, std::uint32_t base, std::vector<ModelToken>& out) const;

  std::string source_;
  TokenTable ids_;
  std::string prefix_;
  std::size_t max_chars_;
  std::optional<TokenId> unk_;
};

}  // namespace aurum::text

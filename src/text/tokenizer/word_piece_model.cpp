#include "text/tokenizer/word_piece_model.h"

#include <algorithm>

#include "base/error.h"
#include "text/unicode/utf8.h"

namespace aurum::text {

WordPieceModel::WordPieceModel(const ModelDefinition& definition, const std::string& source)
    : source_(source), ids_(definition.vocabulary.size()) {
  const auto& word_piece = std::get<WordPieceDefinition>(definition.kind);
  prefix_ = word_piece.continuing_subword_prefix;
  max_chars_ = word_piece.max_input_chars_per_word;
  for (std::size_t id = 0; id < definition.vocabulary.size(); ++id) {
    const std::string& token = definition.vocabulary[id];
    if (!token.empty()) ids_.set(token, static_cast<TokenId>(id));
  }
  if (definition.unk_token) unk_ = id_of(*definition.unk_token);
}

std::optional<TokenId> WordPieceModel::id_of(std::string_view token) const {
  return ids_.find(token);
}

bool WordPieceModel::split(std::string_view word, std::uint32_t base,
                           std::vector<ModelToken>& out) const {
  std::string part;
  for (std::size_t begin = 0; begin < word.size();) {
    std::size_t end = std::min(word.size(), begin + ids_.longest());
    while (end < word.size() && is_utf8_continuation(word[end])) --end;
    std::optional<TokenId> id;
    while (end > begin) {
      part = begin > 0 ? prefix_ : std::string();
      part += word.substr(begin, end - begin);
      id = ids_.find(part);
      if (id) break;
      do {
        --end;
      } while (end > begin && is_utf8_continuation(word[end]));
    }
    if (!id) return false;
    out.push_back({*id, base + static_cast<std::uint32_t>(begin)});
    begin = end;
  }
  return true;
}

void WordPieceModel::tokenize(std::string_view piece, std::uint32_t base,
                              std::vector<ModelToken>& out) const {
  const std::size_t first = out.size();
  if (count_code_points(piece) <= max_chars_ && split(piece, base, out)) return;
  out.resize(first);
  if (!unk_) {
    throw InputError(fmt::format("{}: no tokens for the word {} and no unk_token in the vocabulary",
                                 source_, piece.substr(0, 100)));
  }
  out.push_back({*unk_, base});
}

}  // namespace aurum::text

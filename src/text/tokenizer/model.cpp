#include "text/tokenizer/model.h"

#include "text/tokenizer/bpe_model.h"
#include "text/tokenizer/unigram_model.h"
#include "text/tokenizer/word_piece_model.h"

namespace aurum::text {

bool ModelDefinition::has_byte_fallback() const {
  if (const auto* bpe = std::get_if<BpeDefinition>(&kind)) return bpe->byte_fallback;
  const auto* unigram = std::get_if<UnigramDefinition>(&kind);
  return unigram != nullptr && unigram->byte_fallback;
}

bool can_work_on_bytes(const ModelDefinition& definition) {
  const auto* bpe = std::get_if<BpeDefinition>(&definition.kind);
  return bpe != nullptr && !bpe->byte_fallback && bpe->continuing_subword_prefix.empty() &&
         bpe->end_of_word_suffix.empty();
}

std::unique_ptr<Model> make_model(const ModelDefinition& definition, bool byte_level,
                                  const std::string& source) {
  if (std::holds_alternative<UnigramDefinition>(definition.kind)) {
    return std::make_unique<UnigramModel>(definition, source);
  }
  if (std::holds_alternative<WordPieceDefinition>(definition.kind)) {
    return std::make_unique<WordPieceModel>(definition, source);
  }
  return std::make_unique<BpeModel>(definition, byte_level, source);
}

}  // namespace aurum::text

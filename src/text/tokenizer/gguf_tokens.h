#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/tokenizer/definition.h"

namespace aurum::text {

// The values of tokenizer.ggml.token_type.
enum GgufTokenType {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

inline int token_type(const GgufVocabulary& v, std::size_t id) {
  return id < v.token_types.size() ? v.token_types[id] : kNormal;
}

// The merges, by falling priority, that do what SentencePiece does with scores. Throws FormatError
// when there is not one score for each token. `vocabulary` as in ModelDefinition.
std::vector<std::pair<std::string, std::string>> merges_from_scores(
    const GgufVocabulary& v, const std::vector<std::string>& vocabulary);

}  // namespace aurum::text

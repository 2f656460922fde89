#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/definition.h"

namespace aurum::text {

// A token of a piece and the byte of the piece at which it starts.
struct ModelToken {
  TokenId id;
  std::uint32_t begin;
};

// The "model" of a tokenizer file: turns a piece of normalized text into tokens. Thread-safe.
class Model {
 public:
  virtual ~Model() = default;
  // Appends the tokens of `piece`, which is not empty; their begins count from `base`. They cover
  // the piece: each reaches to the next one's begin.
  virtual void tokenize(std::string_view piece, std::uint32_t base,
                        std::vector<ModelToken>& out) const = 0;
  virtual std::optional<TokenId> id_of(std::string_view token) const = 0;
};

// Whether `definition` can work on raw bytes in place of the characters of GPT-2's byte alphabet.
bool can_work_on_bytes(const ModelDefinition& definition);
// `byte_level`: pieces hold raw bytes, the vocabulary is written in the byte alphabet.
// `source` names the file in messages.
std::unique_ptr<Model> make_model(const ModelDefinition& definition, bool byte_level,
                                  const std::string& source);

}  // namespace aurum::text

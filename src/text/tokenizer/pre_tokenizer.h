#pragma once

#include <memory>
#include <vector>

#include "text/tokenizer/json_reader.h"
#include "text/unicode/mapped_text.h"

namespace aurum::text {

struct PieceRange {
  std::size_t begin;
  std::size_t end;
};

// A normalized section and the pieces that it was split into.
struct PreTokenized {
  MappedText text;
  std::vector<PieceRange> pieces;
  bool at_text_start = false;  // the section begins at byte 0 of the whole text
};

// One step of, or the whole, "pre_tokenizer" of a tokenizer file.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(PreTokenized& state) const = 0;
};

// Null for a null `object`. Throws FormatError for kinds that are not supported. ByteLevel leaves
// bytes as they are; the model is told by uses_byte_level().
std::unique_ptr<PreTokenizer> make_pre_tokenizer(const Json& object, const JsonPlace& place);

// Whether a "ByteLevel" occurs in a pre-tokenizer, decoder or post-processor.
bool uses_byte_level(const Json& object);

}  // namespace aurum::text

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
  // Leaves no empty pieces.
  virtual void apply(PreTokenized& state) const = 0;
};

// What a ByteLevel step at the very end does: write bytes in GPT-2's alphabet, or leave them raw
// for a model that works on bytes.
enum class LastByteLevel { kWritesAlphabet, kLeavesBytes };

// Null for a null `object`. Throws FormatError for kinds that are not supported.
std::unique_ptr<PreTokenizer> make_pre_tokenizer(
    const Json& object, const JsonPlace& place,
    LastByteLevel last = LastByteLevel::kWritesAlphabet);
std::unique_ptr<PreTokenizer> make_pre_tokenizer_sequence(
    std::vector<std::unique_ptr<PreTokenizer>> steps);

// Whether the last step is a ByteLevel, so that the model sees its output.
bool ends_in_byte_level(const Json& object);

}  // namespace aurum::text

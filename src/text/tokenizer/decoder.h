#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/tokenizer/json_reader.h"

namespace aurum::text {

// The tokens of a text on their way through the decoders. The list keeps its length, so that the
// bytes of each token stay known; `fused` says that the decoders to come see one string.
struct DecodedPieces {
  std::vector<std::string> pieces;
  bool fused = false;
};

// The "decoder" part of a tokenizer file. ByteLevel leaves the raw bytes of each token, which may
// be parts of characters; everything else gives valid UTF-8.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void apply(DecodedPieces& state) const = 0;
};

// For a null `object`: tokens joined by single spaces.
std::unique_ptr<Decoder> make_decoder(const Json& object, const JsonPlace& place);

// Those that write whole words: WordPiece, CTC, BPEDecoder. Null for other types.
std::unique_ptr<Decoder> make_word_decoder(const std::string& type, const Json& object,
                                           const JsonPlace& place);

}  // namespace aurum::text

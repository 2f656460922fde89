#pragma once

#include <memory>
#include <string_view>

#include "text/tokenizer/normalizer.h"

namespace aurum::text {

// SentencePiece's compiled normalization rules (T5, XLM-R): `base64` holds a double-array trie from
// strings to their replacements. Applied to each grapheme cluster of fewer than 6 bytes, else to
// its characters one by one. Throws FormatError when the data is broken.
std::unique_ptr<Normalizer> make_precompiled_normalizer(std::string_view base64,
                                                        const JsonPlace& place);

}  // namespace aurum::text

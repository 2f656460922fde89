#pragma once

#include "text/tokenizer/tokenizer.h"

namespace aurum::fuzz {

// Encodes and decodes some texts and aborts when the spans do not tile the text or the stream does
// not give what decoding at once gives. Throws what the tokenizer throws.
void use_tokenizer(const text::Tokenizer& tokenizer);

}  // namespace aurum::fuzz

#pragma once

#include "text/tokenizer/tokenizer.h"

namespace aurum::text {

// The spans that TRL's GOLDTrainer computes, for parity with its runs (experimental/utils.py,
// version 1.16). They differ from ours where tokens are not in the byte alphabet, where a sampled
// text is not UTF-8, and where a normalizer changes the text.

// Sampled tokens laid end to end, each as long as its string has characters.
std::vector<ByteSpan> trl_spans_of_ids(const Tokenizer& tokenizer, std::span<const TokenId> ids);

// What TRL makes of Hugging Face's character offsets of an encoded text: tokens that share
// characters are told apart by the lengths of their strings. Throws InputError where TRL raises.
std::vector<ByteSpan> trl_spans_of_text(const Tokenizer& tokenizer, std::string_view text,
                                        const Encoding& encoding);

}  // namespace aurum::text

#pragma once

#include <memory>
#include <string>

#include "text/tokenizer/json_reader.h"
#include "text/tokenizer/pre_tokenizer.h"

namespace aurum::text {

// The pre-tokenizers that split by properties of characters: Digits, Punctuation, Whitespace,
// WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit, FixedLength, UnicodeScripts. Null for
// other types.
std::unique_ptr<PreTokenizer> make_char_pre_tokenizer(const std::string& type, const Json& object,
                                                      const JsonPlace& place);

}  // namespace aurum::text

#pragma once

#include <memory>
#include <string_view>

#include "text/tokenizer/normalizer.h"

namespace aurum::text {

// The normalizers that look at one character at a time: Lowercase, StripAccents, Nmt, and the steps
// of BertNormalizer (BertCleanText, BertChineseChars, BertStripAccents).
std::unique_ptr<Normalizer> make_char_normalizer(std::string_view name);

}  // namespace aurum::text

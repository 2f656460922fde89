#pragma once

#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "text/tokenizer/tokenizer.h"

namespace aurum::cli {

// The list of token ids under `key` of a request. Throws InputError that names the key.
std::vector<text::TokenId> ids_field(const nlohmann::ordered_json& request, const char* key);

// [[begin, end], ...]
nlohmann::ordered_json spans_json(const std::vector<text::ByteSpan>& spans);

// Encodes with the special tokens that the tokenizer adds by itself. Warns, once per run, when the
// text brings a BOS of its own, as a rendered chat does: the model would read two.
text::Encoding encode_with_special_tokens(const text::Tokenizer& tokenizer, std::string_view text);

}  // namespace aurum::cli

#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "text/tokenizer/tokenizer.h"

namespace aurum::cli {

// The list of token ids under `key` of a request. Throws InputError that names the key.
std::vector<text::TokenId> ids_field(const nlohmann::ordered_json& request, const char* key);

// [[begin, end], ...]
nlohmann::ordered_json spans_json(const std::vector<text::ByteSpan>& spans);

}  // namespace aurum::cli

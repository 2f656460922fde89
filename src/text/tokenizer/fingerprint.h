#pragma once

#include <cstdint>

#include "text/tokenizer/definition.h"

namespace aurum::text {

// Hashes everything that decides which ids a text gets.
std::uint64_t fingerprint_of(const TokenizerDefinition& definition);

}  // namespace aurum::text

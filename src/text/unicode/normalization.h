#pragma once

#include "text/unicode/mapped_text.h"

namespace aurum::text {

enum class NormalizationForm { kNfc, kNfd, kNfkc, kNfkd };

// Normalizes with the tables of Unicode 9, as Hugging Face does: characters that are newer are left
// alone. Returns the text as it is when nothing changes.
MappedText normalize(MappedText text, NormalizationForm form);

}  // namespace aurum::text

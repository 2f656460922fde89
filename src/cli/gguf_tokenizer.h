#pragma once

#include "text/tokenizer/tokenizer.h"
#include "weights/gguf.h"
#include "weights/gguf_writer.h"

namespace aurum::cli {

// The tokenizer in a GGUF file's metadata.
text::GgufVocabulary read_gguf_vocabulary(const weights::GgufFile& file);

// The metadata to write for it; ids up to `num_rows`, the rows of the embedding, get a token.
weights::GgufMetadata gguf_tokenizer_metadata(text::GgufVocabulary vocabulary,
                                              std::int64_t num_rows);

}  // namespace aurum::cli

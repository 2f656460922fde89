#pragma once

#include <filesystem>

#include "weights/checkpoint.h"
#include "weights/gguf_writer.h"
#include "weights/quantization_mix.h"

namespace aurum::weights {

// Writes a checkpoint as one GGUF file that llama.cpp and `open_checkpoint` load. `tokenizer` is
// appended to the metadata as it is. Tensors that are stored in the wanted type already keep their
// bits. Holds one tensor in memory at most (for plain ones, a few megabytes), works on all threads.
// Throws InputError for models that GGUF cannot express, FormatError for weights that are not
// finite.
void export_gguf(const Checkpoint& checkpoint, QuantizationMix mix, const GgufMetadata& tokenizer,
                 const std::filesystem::path& path);

}  // namespace aurum::weights

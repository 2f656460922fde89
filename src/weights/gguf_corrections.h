#pragma once

#include <string_view>

#include "weights/checkpoint.h"

namespace aurum::weights {

// How llama.cpp's converter changes a tensor on the way from a Hugging Face folder to GGUF:
// llama-like models get the rows of Q and K interleaved within each head, Gemma's norm weights hold
// 1 + w, and GPT-2's matrices lie transposed.
enum class Correction { kNone, kPermuteQ, kPermuteK, kOnePlus, kTranspose };

// `name` is the Hugging Face name.
Correction correction_of(std::string_view name, std::size_t num_dims, const ModelConfig& config);

// The number of heads whose rows the correction permutes; 0 for the others.
std::int64_t permuted_heads(Correction correction, const ModelConfig& config);

// GGUF to Hugging Face, and back. Permutations move whole rows, so blocks stay as they are; the
// other corrections give float32. Results own their bytes, but for kNone.
TensorView undo_correction(TensorView view, Correction correction, const ModelConfig& config);
TensorView apply_correction(TensorView view, Correction correction, const ModelConfig& config);

}  // namespace aurum::weights

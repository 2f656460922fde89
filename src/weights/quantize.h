#pragma once

#include <cstddef>
#include <span>

#include "weights/dtype.h"

namespace aurum::weights {

// True for the types that `quantize` writes: F32, F16, BF16, Q8_0, Q4_0, Q5_0, Q4_K, Q5_K, Q6_K.
bool can_quantize(DType dtype);

// Stores `values` (whole blocks) as `dtype`. Q8_0, Q4_0 and Q5_0 are bit-equal to ggml's reference
// functions. The K types search for the scales of each group as ggml does, and then pick the best
// of the neighbouring 6- and 8-bit scales, which leaves a smaller error. The same bytes on every
// machine. Values must be finite.
void quantize(DType dtype, std::span<const float> values, std::span<std::byte> out);

}  // namespace aurum::weights

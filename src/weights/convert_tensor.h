#pragma once

#include "weights/byte_sink.h"
#include "weights/checkpoint.h"

namespace aurum::weights {

// Hands the tensor's values, stored as `dtype`, to `sink` in pieces of a few million values; a
// tensor that is stored so already as it is. Works on all threads. Throws FormatError for values
// that are not finite when `dtype` is a block type.
void write_converted(const TensorView& view, DType dtype, const ByteSink& sink);

}  // namespace aurum::weights

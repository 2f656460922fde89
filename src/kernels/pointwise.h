#pragma once

#include <cstdint>

#include "kernels/instruction_set.h"

namespace aurum::kernels {

// out = x / rms(x) * weight over `size` values; out may be x. Statistics in float32.
void rms_norm(const float* x, const float* weight, float eps, std::int64_t size, float* out,
              InstructionSet set = best_instruction_set());

// out = (x - mean) / sqrt(var + eps) * weight + bias; `bias` may be null.
void layer_norm(const float* x, const float* weight, const float* bias, float eps,
                std::int64_t size, float* out, InstructionSet set = best_instruction_set());

enum class PointwiseActivation { kSilu, kGeluTanh };

// out = activation(gate) * up; `up` null means 1. out may be gate.
void activate(PointwiseActivation activation, const float* gate, const float* up, std::int64_t size,
              float* out, InstructionSet set = best_instruction_set());

// The index of the first largest of `size` > 0 values.
std::int64_t index_of_largest(const float* values, std::int64_t size,
                              InstructionSet set = best_instruction_set());

}  // namespace aurum::kernels

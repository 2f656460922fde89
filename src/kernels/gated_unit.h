#pragma once

#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/instruction_set.h"
#include "kernels/pointwise.h"

namespace aurum::kernels {

// gate_up [rows, 2 * size] holds gate and up side by side; out [rows, size] = act(gate) * up, where
// act(gate) is rounded to T first, as two operators would do.
template <typename T>
void gated_unit(PointwiseActivation activation, const T* gate_up, std::int64_t rows,
                std::int64_t size, T* out, InstructionSet set = best_instruction_set());

// The gradient of gate_up from that of out.
template <typename T>
void gated_unit_backward(PointwiseActivation activation, const T* gate_up, const T* out_gradient,
                         std::int64_t rows, std::int64_t size, T* gate_up_gradient,
                         InstructionSet set = best_instruction_set());

}  // namespace aurum::kernels

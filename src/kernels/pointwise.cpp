#include "kernels/pointwise.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/lanes.h"
#include "kernels/run_with.h"

namespace aurum::kernels {

namespace {

// Sum of (x - shift)^2, sixteen lanes and then the tail in order.
AURUM_FORCE_INLINE float sum_of_squares(const float* x, float shift, std::int64_t size) {
  FloatLanes sums = {};
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    FloatLanes v;
    load_lanes(x + i, v);
    v -= shift;
    sums += v * v;
  }
  float sum = sum_lanes(sums);
  for (; i < size; ++i) sum += (x[i] - shift) * (x[i] - shift);
  return sum;
}

AURUM_FORCE_INLINE float sum_of(const float* x, std::int64_t size) {
  FloatLanes sums = {};
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    FloatLanes v;
    load_lanes(x + i, v);
    sums += v;
  }
  float sum = sum_lanes(sums);
  for (; i < size; ++i) sum += x[i];
  return sum;
}

// x * sigmoid(u), with u = x in SiLU; in x / 2 * (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) u is
// twice the argument of tanh.
AURUM_FORCE_INLINE void activate_lanes(PointwiseActivation activation, FloatLanes& x) {
  const bool is_silu = activation == PointwiseActivation::kSilu;
  const FloatLanes u = is_silu ? x : 1.5957691216f * (x + 0.044715f * x * x * x);
  FloatLanes numerator, denominator;
  sigmoid_parts(u, numerator, denominator);
  x = x * numerator / denominator;
}

AURUM_FORCE_INLINE void activate_lanes(PointwiseActivation activation, const float* gate,
                                       const float* up, float* out) {
  FloatLanes x;
  load_lanes(gate, x);
  activate_lanes(activation, x);
  if (up) {
    FloatLanes u;
    load_lanes(up, u);
    x *= u;
  }
  store_lanes(x, out);
}

// True if one of sixteen values equals `value`.
AURUM_FORCE_INLINE bool holds(const float* values, float value) {
  FloatLanes v;
  load_lanes(values, v);
  const IntLanes equal = v == value;
  std::int32_t part[kLanes], any = 0;
  __builtin_memcpy(part, &equal, sizeof(part));
  for (const std::int32_t lane : part) any |= lane;
  return any != 0;
}

}  // namespace

std::int64_t index_of_largest(const float* values, std::int64_t size, InstructionSet set) {
  std::int64_t index = 0;
  run_with(
      set, [&]() __attribute__((always_inline)) {
        const float largest = largest_of(values, size);
        while (index + kLanes <= size && !holds(values + index, largest)) index += kLanes;
        while (index < size && values[index] != largest) ++index;
      });
  return index < size ? index : 0;  // no number equals NaN
}

void rms_norm(const float* x, const float* weight, float eps, std::int64_t size, float* out,
              InstructionSet set) {
  run_with(
      set, [=]() __attribute__((always_inline)) {
        const float mean_square = sum_of_squares(x, 0.0f, size) / static_cast<float>(size);
        const float scale = 1.0f / std::sqrt(mean_square + eps);
        for (std::int64_t i = 0; i < size; ++i) out[i] = x[i] * scale * weight[i];
      });
}

void layer_norm(const float* x, const float* weight, const float* bias, float eps,
                std::int64_t size, float* out, InstructionSet set) {
  run_with(
      set, [=]() __attribute__((always_inline)) {
        const float mean = sum_of(x, size) / static_cast<float>(size);
        const float variance = sum_of_squares(x, mean, size) / static_cast<float>(size);
        const float scale = 1.0f / std::sqrt(variance + eps);
        for (std::int64_t i = 0; i < size; ++i) {
          out[i] = (x[i] - mean) * scale * weight[i] + (bias ? bias[i] : 0.0f);
        }
      });
}

void activate(PointwiseActivation activation, const float* gate, const float* up, std::int64_t size,
              float* out, InstructionSet set) {
  run_with(
      set, [=]() __attribute__((always_inline)) {
        std::int64_t i = 0;
        for (; i + kLanes <= size; i += kLanes) {
          activate_lanes(activation, gate + i, up ? up + i : nullptr, out + i);
        }
        if (i == size) return;
        // The tail goes through the same lanes, so that a value does not depend on its place.
        float tail_gate[kLanes] = {}, tail_up[kLanes] = {}, tail_out[kLanes];
        std::copy(gate + i, gate + size, tail_gate);
        if (up) std::copy(up + i, up + size, tail_up);
        activate_lanes(activation, tail_gate, up ? tail_up : nullptr, tail_out);
        std::copy(tail_out, tail_out + (size - i), out + i);
      });
}

}  // namespace aurum::kernels

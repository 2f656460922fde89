#include "kernels/gated_unit.h"

#include "base/parallel.h"
#include "kernels/run_with.h"
#include "kernels/typed_lanes.h"

namespace aurum::kernels {

namespace {

constexpr std::int64_t kRowGrain = 8;

// Both activations are x sigmoid(u(x)): value = x s, slope = s + x s (1 - s) u'(x). For SiLU u = x;
// for the tanh form of GELU u = 2 sqrt(2 / pi) (x + 0.044715 x^3).
AURUM_FORCE_INLINE void activate(PointwiseActivation activation, const FloatLanes& x,
                                 FloatLanes& value, FloatLanes& slope) {
  FloatLanes s, du;
  if (activation == PointwiseActivation::kSilu) {
    s = x;
    du = FloatLanes{} + 1.0f;
  } else {
    constexpr float kTwice = 1.5957691216f;
    s = kTwice * (x + 0.044715f * x * x * x);
    du = kTwice * (1.0f + 3.0f * 0.044715f * x * x);
  }
  FloatLanes numerator, denominator;
  sigmoid_parts(s, numerator, denominator);
  s = numerator / denominator;
  value = x * s;
  slope = s + value * (1.0f - s) * du;
}

template <typename T>
AURUM_FORCE_INLINE void unit_row(PointwiseActivation activation, const T* gate, const T* up,
                                 std::int64_t size, T* out) {
  for_lanes(
      size, [&](std::int64_t i, std::int64_t n) __attribute__((always_inline)) {
        FloatLanes x, u, value, slope;
        load_some(gate + i, n, x);
        load_some(up + i, n, u);
        activate(activation, x, value, slope);
        round_lanes<T>(value);
        store_some(value * u, n, out + i);
      });
}

template <typename T>
AURUM_FORCE_INLINE void unit_row_backward(PointwiseActivation activation, const T* gate,
                                          const T* up, const T* dy, std::int64_t size, T* dgate,
                                          T* dup) {
  for_lanes(
      size, [&](std::int64_t i, std::int64_t n) __attribute__((always_inline)) {
        FloatLanes x, u, g, value, slope;
        load_some(gate + i, n, x);
        load_some(up + i, n, u);
        load_some(dy + i, n, g);
        activate(activation, x, value, slope);
        store_some(g * value, n, dup + i);
        store_some(g * u * slope, n, dgate + i);
      });
}

}  // namespace

template <typename T>
void gated_unit(PointwiseActivation activation, const T* gate_up, std::int64_t rows,
                std::int64_t size, T* out, InstructionSet set) {
  parallel_for(rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    run_with(
        set, [&]() __attribute__((always_inline)) {
          for (std::int64_t row = begin; row < end; ++row) {
            const T* gate = gate_up + row * 2 * size;
            unit_row(activation, gate, gate + size, size, out + row * size);
          }
        });
  });
}

template <typename T>
void gated_unit_backward(PointwiseActivation activation, const T* gate_up, const T* out_gradient,
                         std::int64_t rows, std::int64_t size, T* gate_up_gradient,
                         InstructionSet set) {
  parallel_for(rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    run_with(
        set, [&]() __attribute__((always_inline)) {
          for (std::int64_t row = begin; row < end; ++row) {
            const T* gate = gate_up + row * 2 * size;
            T* gradient = gate_up_gradient + row * 2 * size;
            unit_row_backward(activation, gate, gate + size, out_gradient + row * size, size,
                              gradient, gradient + size);
          }
        });
  });
}

#define AURUM_INSTANTIATE(T)                                                               \
  template void gated_unit(PointwiseActivation, const T*, std::int64_t, std::int64_t, T*,  \
                           InstructionSet);                                                \
  template void gated_unit_backward(PointwiseActivation, const T*, const T*, std::int64_t, \
                                    std::int64_t, T*, InstructionSet)
AURUM_INSTANTIATE(float);
AURUM_INSTANTIATE(BFloat16);
#undef AURUM_INSTANTIATE

}  // namespace aurum::kernels

#include "kernels/rms_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "kernels/run_with.h"
#include "kernels/typed_lanes.h"

namespace aurum::kernels {

namespace {

constexpr std::int64_t kRowGrain = 32;  // rows that are worth waking a thread for

template <typename T>
AURUM_FORCE_INLINE void load_weight(const RmsNormRows<T>& norm, std::int64_t i, std::int64_t n,
                                    FloatLanes& weight) {
  load_some(norm.weight + i, n, weight);
  if (norm.adds_one) weight += 1.0f;
}

template <typename S, typename T>
AURUM_FORCE_INLINE float sum_of_squares(std::int64_t size, const S* x, const T* branch, S* sum) {
  FloatLanes squares = {};
  for_lanes(
      size, [&](std::int64_t i, std::int64_t n) __attribute__((always_inline)) {
        FloatLanes v;
        load_some(x + i, n, v);
        if (branch) {
          FloatLanes b;
          load_some(branch + i, n, b);
          v += b;
          round_lanes<S>(v);
          store_some(v, n, sum + i);
        }
        squares += v * v;
      });
  return sum_lanes(squares);
}

template <typename S, typename T>
AURUM_FORCE_INLINE float norm_row(const RmsNormRows<T>& norm, const S* x, const T* branch, S* sum,
                                  T* out) {
  const float squares = sum_of_squares(norm.size, x, branch, sum);
  const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(norm.size) + norm.eps);
  const S* normed = branch ? sum : x;
  for_lanes(
      norm.size, [&](std::int64_t i, std::int64_t n) __attribute__((always_inline)) {
        FloatLanes v, weight;
        load_some(normed + i, n, v);
        load_weight(norm, i, n, weight);
        v *= inverse;
        if (!norm.rounds_last) round_lanes<S>(v);
        store_some(v * weight, n, out + i);
      });
  return inverse;
}

// dx = r (g - x_hat mean(g x_hat)) with g = dy w, x_hat = r x; dw += dy x_hat.
template <typename S, typename T>
AURUM_FORCE_INLINE void norm_row_backward(const RmsNormRows<T>& norm, const S* x, float inverse,
                                          const RmsNormGradients<S, T>& gradients, float* dw) {
  FloatLanes products = {};
  for_lanes(
      norm.size, [&](std::int64_t i, std::int64_t n) __attribute__((always_inline)) {
        FloatLanes v, g, weight, total;
        load_some(x + i, n, v);
        load_some(gradients.out + i, n, g);
        load_weight(norm, i, n, weight);
        v *= inverse;
        load_some(dw + i, n, total);
        store_some(total + g * v, n, dw + i);
        products += g * weight * v;
      });
  const float mean = sum_lanes(products) / static_cast<float>(norm.size);
  for_lanes(
      norm.size, [&](std::int64_t i, std::int64_t n) __attribute__((always_inline)) {
        FloatLanes v, g, weight;
        load_some(x + i, n, v);
        load_some(gradients.out + i, n, g);
        load_weight(norm, i, n, weight);
        FloatLanes d = inverse * (g * weight - v * (inverse * mean));
        if (gradients.sum) {
          FloatLanes s;
          load_some(gradients.sum + i, n, s);
          d += s;
        }
        store_some(d, n, gradients.x + i);
        if (gradients.branch) store_some(d, n, gradients.branch + i);
      });
}

// The gradients of the row that begins at value `first`.
template <typename S, typename T>
RmsNormGradients<S, T> gradients_from(const RmsNormGradients<S, T>& all, std::int64_t first) {
  return {.out = all.out + first,
          .sum = all.sum ? all.sum + first : nullptr,
          .x = all.x + first,
          .branch = all.branch ? all.branch + first : nullptr,
          .weight = nullptr};
}

}  // namespace

template <typename S, typename T>
void rms_norm_rows(const RmsNormRows<T>& norm, const S* x, const T* branch, S* sum, T* out,
                   float* inverse_rms, InstructionSet set) {
  parallel_for(norm.rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    run_with(
        set, [&]() __attribute__((always_inline)) {
          for (std::int64_t row = begin; row < end; ++row) {
            const std::int64_t first = row * norm.size;
            inverse_rms[row] = norm_row(norm, x + first, branch ? branch + first : nullptr,
                                        sum ? sum + first : nullptr, out + first);
          }
        });
  });
}

template <typename S, typename T>
void rms_norm_rows_backward(const RmsNormRows<T>& norm, const S* x, const float* inverse_rms,
                            const RmsNormGradients<S, T>& gradients, InstructionSet set) {
  const auto size = static_cast<std::size_t>(norm.size);
  const std::int64_t share =
      std::max(kRowGrain, (norm.rows + num_threads() - 1) / std::max(1, num_threads()));
  const std::int64_t parts = (norm.rows + share - 1) / share;
  std::vector<float> sums(static_cast<std::size_t>(parts) * size);
  parallel_for_each(parts, [&](std::int64_t part) {
    run_with(
        set, [&]() __attribute__((always_inline)) {
          float* dw = sums.data() + static_cast<std::size_t>(part) * size;
          for (std::int64_t row = part * share; row < std::min(norm.rows, (part + 1) * share);
               ++row) {
            const std::int64_t first = row * norm.size;
            norm_row_backward(norm, x + first, inverse_rms[row], gradients_from(gradients, first),
                              dw);
          }
        });
  });
  std::fill_n(gradients.weight, size, 0.0f);
  for (std::int64_t part = 0; part < parts; ++part) {
    const float* dw = sums.data() + static_cast<std::size_t>(part) * size;
    for (std::size_t i = 0; i < size; ++i) gradients.weight[i] += dw[i];
  }
}

#define AURUM_INSTANTIATE(S, T)                                                          \
  template void rms_norm_rows(const RmsNormRows<T>&, const S*, const T*, S*, T*, float*, \
                              InstructionSet);                                           \
  template void rms_norm_rows_backward(const RmsNormRows<T>&, const S*, const float*,    \
                                       const RmsNormGradients<S, T>&, InstructionSet)
AURUM_INSTANTIATE(float, float);
AURUM_INSTANTIATE(BFloat16, BFloat16);
AURUM_INSTANTIATE(float, BFloat16);
#undef AURUM_INSTANTIATE

}  // namespace aurum::kernels

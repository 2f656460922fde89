#pragma once

#include <cstdint>

#include "kernels/pair_packing.h"

namespace aurum::loss {

// Vectorised passes over one row of logits or probabilities, for the instruction set found at run
// time (Highway). Rows are padded to a multiple of kRowPadding floats; a pass reads the padding, so
// it must hold what the pass says.

constexpr std::int64_t kRowPadding = 32;
inline std::int64_t padded(std::int64_t width) {
  return (width + kRowPadding - 1) / kRowPadding * kRowPadding;
}

// The largest of `size` values. No padding needed.
float row_max(const float* row, std::int64_t size);

// sum_k exp((row[k] - max) * inverse_temperature); padding: very negative.
double sum_exponentials(const float* row, std::int64_t size, float max, float inverse_temperature);

// The same, and row[k] becomes its exponential.
double exponentials_in_place(float* row, std::int64_t size, float max, float inverse_temperature);

// row[k] = cap * tanh(row[k] / cap).
void cap_logits(float* row, std::int64_t size, float cap);

// gradient[k] *= 1 - (z_k / cap)^2, where z_k = max + temperature * log(exponentials[k]).
void uncap_gradient(float* gradient, const float* exponentials, std::int64_t size, float max,
                    float temperature, float cap);

// out[k] = (weighted[k] + scale * exponentials[k]) * factor; null `weighted` counts as zeros.
void combine(const float* weighted, const float* exponentials, float scale, float factor,
             std::int64_t size, float* out);

// The sum of each pair is the value but for 2^-17 of it: what bfloat16 keeps, and of the rest too.
void split_into_pairs(const float* values, std::int64_t size, kernels::Pair* pairs);

// Probabilities scale * exponentials[k] of one merged group; padding: zeros.
struct ScaledRow {
  float* exponentials;
  std::int64_t size;
  float scale;
};

// A sum over columns, and sum_k p_k dvalue/dp_k, what the softmax's gradient needs.
struct ColumnSums {
  double value = 0.0;
  double slope = 0.0;
};

// Generalized JSD of the unnormalised probabilities on matched columns. `partner` [student.size] is
// the teacher's column of each student column, or -1. Writes weighted[k] = weight p_k dvalue/dp_k,
// zero on unmatched columns; `slope` is their sum. `weighted` may be null.
ColumnSums matched_jsd(const ScaledRow& student, const ScaledRow& teacher,
                       const std::int32_t* partner, double beta, float weight, float* weighted);

// Generalized JSD of two softmaxes over the same columns, from logits: log p_k = (z_k - max) *
// inverse_temperature - log_sum. The student's row becomes p; weighted[k] = dvalue/dlog p_k times
// `weight` and `slope` the sum of it. Padding: very negative.
struct LogitRow {
  float* logits;
  float max, log_sum;
};
ColumnSums shared_jsd(const LogitRow& student, const LogitRow& teacher, std::int64_t size,
                      float inverse_temperature, double beta, float weight, float* weighted);

// ---- Sorted L1 by buckets, see sorted_l1.h ----

constexpr std::int64_t kNumBuckets = 4096;  // of values in [0, 2): exponent and 5 mantissa bits
constexpr int kBucketShift = 18;
constexpr std::int64_t kCountLanes = 4;  // counters apart, so that equal buckets do not wait

// Adds 1 to counts[lane][bucket of p_k] for every column; columns with a partner count as p = 0.
void count_buckets(const ScaledRow& row, const std::int32_t* partner, std::uint32_t* counts);

// Adds sign[bucket of p_k] * weight * p_k to weighted[k] (unless null) on columns without a partner
// and returns the sum of sign * p. A bucket whose sign is kMixedSign adds nothing here: its columns
// are appended to `mixed` as (bits of p_k) << 32 | k. `mixed` has room for all.
constexpr float kMixedSign = 2.0F;
double apply_signs(const ScaledRow& row, const std::int32_t* partner, const float* sign,
                   float weight, float* weighted, std::uint64_t* mixed, std::int64_t& num_mixed);

}  // namespace aurum::loss

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "loss/row_kernels.h"

namespace aurum::loss {

// The sorted L1 distance of two rows of probabilities, exact but without sorting them. Holds the
// scratch of one thread; reuse it for many rows.
class BucketL1 {
 public:
  // value = sum_r |sort(P)_r - sort(Q)_r|, the shorter row padded with zeros; slope = sum_k p_k
  // dvalue/dp_k. Adds weight p_k dvalue/dp_k to weighted[k] unless it is null. Student columns with
  // a `partner` (null: none has) take no part; teacher columns that take none must hold zero.
  ColumnSums compute(const ScaledRow& student, const std::int32_t* partner,
                     const ScaledRow& teacher, float weight, float* weighted);

 private:
  struct Side {
    std::array<std::uint32_t, kNumBuckets + 1> above;  // larger values than those of a bucket
    std::vector<std::uint64_t> mixed;                  // columns of mixed buckets, sorted downwards
    std::int64_t num_mixed = 0;
  };

  void count(const ScaledRow& row, const std::int32_t* partner, Side& side);
  void classify();
  double resolve(float weight, float* weighted, double& student_sum) const;

  Side student_, teacher_;
  std::vector<std::uint32_t> counts_;
  std::array<float, kNumBuckets> sign_;
};

}  // namespace aurum::loss

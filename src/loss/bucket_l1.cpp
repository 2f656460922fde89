// sum_r |sort(P)_r - sort(Q)_r| = sum_r s_r (sort(P)_r - sort(Q)_r),  s_r = sign of the difference
//
// Only the signs need the order, and most of them follow from counts. Values fall into buckets by
// their leading bits. Let a bucket hold n_P and n_Q values, and A_P and A_Q values lie above it.
// The ranks of its P values are A_P .. A_P + n_P - 1. If A_Q + n_Q <= A_P, all Q values of these
// ranks lie below the bucket, so s = +1, for its Q values too; if A_P + n_P <= A_Q, s = -1. Only
// what is left, the mixed buckets, is sorted: the few largest values, and buckets where the two
// distribution functions cross. Nothing is approximated.

#include "loss/bucket_l1.h"

#include <algorithm>
#include <bit>

#include <hwy/contrib/sort/vqsort.h>

namespace aurum::loss {

namespace {

float value_of(std::uint64_t entry) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(entry >> 32));
}

std::int64_t bucket_of(std::uint64_t entry) {
  return std::min<std::int64_t>(static_cast<std::int64_t>(entry >> (32 + kBucketShift)),
                                kNumBuckets - 1);
}

// Where the entries of the bucket at `begin` end.
std::int64_t bucket_end(const std::vector<std::uint64_t>& entries, std::int64_t begin,
                        std::int64_t end, std::int64_t bucket) {
  while (begin < end && bucket_of(entries[static_cast<std::size_t>(begin)]) == bucket) ++begin;
  return begin;
}

double sign(double difference) { return difference > 0 ? 1.0 : (difference < 0 ? -1.0 : 0.0); }

void sort_downwards(std::vector<std::uint64_t>& entries, std::int64_t size) {
  hwy::Sorter sorter;
  sorter(entries.data(), static_cast<std::size_t>(size), hwy::SortDescending());
}

}  // namespace

void BucketL1::count(const ScaledRow& row, const std::int32_t* partner, Side& side) {
  counts_.assign(static_cast<std::size_t>(kCountLanes * kNumBuckets), 0);
  count_buckets(row, partner, counts_.data());
  std::uint32_t above = 0;
  for (std::int64_t bucket = kNumBuckets - 1; bucket >= 0; --bucket) {
    side.above[static_cast<std::size_t>(bucket) + 1] = above;
    for (std::int64_t lane = 0; lane < kCountLanes; ++lane) {
      above += counts_[static_cast<std::size_t>(lane * kNumBuckets + bucket)];
    }
  }
  side.above[0] = above;
  side.mixed.resize(static_cast<std::size_t>(padded(row.size)));
  side.num_mixed = 0;
}

void BucketL1::classify() {
  for (std::size_t bucket = 0; bucket < kNumBuckets; ++bucket) {
    const std::uint32_t p_above = student_.above[bucket + 1], p_through = student_.above[bucket];
    const std::uint32_t q_above = teacher_.above[bucket + 1], q_through = teacher_.above[bucket];
    sign_[bucket] = q_through <= p_above ? 1.0F : (p_through <= q_above ? -1.0F : kMixedSign);
  }
}

ColumnSums BucketL1::compute(const ScaledRow& student, const std::int32_t* partner,
                             const ScaledRow& teacher, float weight, float* weighted) {
  count(student, partner, student_);
  count(teacher, nullptr, teacher_);
  classify();
  double student_sum = apply_signs(student, partner, sign_.data(), weight, weighted,
                                   student_.mixed.data(), student_.num_mixed);
  const double teacher_sum = apply_signs(teacher, nullptr, sign_.data(), 0.0F, nullptr,
                                         teacher_.mixed.data(), teacher_.num_mixed);
  sort_downwards(student_.mixed, student_.num_mixed);
  sort_downwards(teacher_.mixed, teacher_.num_mixed);
  const double teacher_mixed_sum = resolve(weight, weighted, student_sum);
  return {student_sum - teacher_sum - teacher_mixed_sum, weight * student_sum};
}

// Gives every entry of a mixed bucket its sign by rank. Adds the student's to `student_sum` and
// returns the teacher's sum.
double BucketL1::resolve(float weight, float* weighted, double& student_sum) const {
  const auto& p = student_.mixed;
  const auto& q = teacher_.mixed;
  const auto at = [](const std::vector<std::uint64_t>& entries, std::int64_t index) {
    return static_cast<double>(value_of(entries[static_cast<std::size_t>(index)]));
  };
  double teacher_sum = 0.0;
  for (std::int64_t i = 0, j = 0; i < student_.num_mixed || j < teacher_.num_mixed;) {
    const std::int64_t bucket =
        std::max(i < student_.num_mixed ? bucket_of(p[static_cast<std::size_t>(i)]) : -1,
                 j < teacher_.num_mixed ? bucket_of(q[static_cast<std::size_t>(j)]) : -1);
    const std::int64_t i_end = bucket_end(p, i, student_.num_mixed, bucket);
    const std::int64_t j_end = bucket_end(q, j, teacher_.num_mixed, bucket);
    // Entry i has the rank of entry i + shift of the other side.
    const std::int64_t shift = j - i +
                               std::int64_t{student_.above[static_cast<std::size_t>(bucket) + 1]} -
                               std::int64_t{teacher_.above[static_cast<std::size_t>(bucket) + 1]};
    for (std::int64_t k = i; k < i_end; ++k) {
      const std::int64_t other = k + shift;
      const double value = at(p, k);
      const double s = other < j ? -1.0 : (other >= j_end ? 1.0 : sign(value - at(q, other)));
      student_sum += s * value;
      if (weighted != nullptr) {
        weighted[p[static_cast<std::size_t>(k)] & 0xffffffffU] +=
            weight * static_cast<float>(s * value);
      }
    }
    for (std::int64_t k = j; k < j_end; ++k) {
      const std::int64_t other = k - shift;
      const double value = at(q, k);
      const double s = other < i ? 1.0 : (other >= i_end ? -1.0 : sign(at(p, other) - value));
      teacher_sum += s * value;
    }
    i = i_end;
    j = j_end;
  }
  return teacher_sum;
}

}  // namespace aurum::loss

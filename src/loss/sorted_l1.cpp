#include "loss/sorted_l1.h"

#include <cmath>
#include <cstring>
#include <vector>

#include <ATen/ATen.h>
#include <hwy/contrib/sort/vqsort.h>

#include "base/parallel.h"

namespace aurum::loss {

at::Tensor sorted_l1(const at::Tensor& student, const at::Tensor& teacher) {
  const std::int64_t width = std::max(student.size(1), teacher.size(1));
  const auto sorted = [width](const at::Tensor& x) {
    const at::Tensor values = std::get<0>(x.sort(1, true));
    return at::constant_pad_nd(values, {0, width - x.size(1)}, 0);
  };
  return (sorted(student) - sorted(teacher)).abs().sum();
}

namespace {

// Probabilities are not negative, so their bits order as unsigned integers. The index in the low
// half carries the permutation through the sort.
void pack_keys(const float* values, std::int64_t size, std::vector<std::uint64_t>& keys) {
  keys.resize(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, values + i, sizeof(bits));
    keys[static_cast<std::size_t>(i)] = std::uint64_t{bits} << 32 | static_cast<std::uint64_t>(i);
  }
}

float value_of(std::uint64_t key) {
  const auto bits = static_cast<std::uint32_t>(key >> 32);
  float value = 0.0F;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

double compare_row(const std::vector<std::uint64_t>& student, const std::vector<float>& teacher,
                   float* sign) {
  double sum = 0.0;
  for (std::size_t r = 0; r < student.size(); ++r) {
    const float difference = value_of(student[r]) - (r < teacher.size() ? teacher[r] : 0.0F);
    sum += std::fabs(difference);
    sign[student[r] & 0xffffffffU] = difference > 0 ? 1.0F : (difference < 0 ? -1.0F : 0.0F);
  }
  for (std::size_t r = student.size(); r < teacher.size(); ++r) sum += teacher[r];
  return sum;
}

}  // namespace

SortedL1 fast_sorted_l1(const at::Tensor& student, const at::Tensor& teacher) {
  const at::Tensor p = student.contiguous(), q = teacher.contiguous();
  const std::int64_t rows = p.size(0), n = p.size(1), m = q.size(1);
  SortedL1 result{.sign = at::empty({rows, n}, at::kFloat)};
  const float* p_data = p.const_data_ptr<float>();
  const float* q_data = q.const_data_ptr<float>();
  float* sign = result.sign.mutable_data_ptr<float>();
  std::vector<double> sums(static_cast<std::size_t>(rows));
  parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::uint64_t> keys;
    std::vector<float> values;
    hwy::Sorter sorter;
    for (std::int64_t row = begin; row < end; ++row) {
      pack_keys(p_data + row * n, n, keys);
      values.assign(q_data + row * m, q_data + (row + 1) * m);
      sorter(keys.data(), keys.size(), hwy::SortDescending());
      sorter(values.data(), values.size(), hwy::SortDescending());
      sums[static_cast<std::size_t>(row)] = compare_row(keys, values, sign + row * n);
    }
  });
  for (const double sum : sums) result.value += sum;
  return result;
}

}  // namespace aurum::loss

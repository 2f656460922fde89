#pragma once

#include <ATen/core/Tensor.h>

namespace aurum::loss {

// sum over rows and ranks of |sort(student)_r - sort(teacher)_r|, both sorted downwards, the
// shorter row padded with zeros. student [rows, n] with gradient, teacher [rows, m] without.
at::Tensor sorted_l1(const at::Tensor& student, const at::Tensor& teacher);

}  // namespace aurum::loss

// Universal logit distillation (Boizard et al. 2024, arXiv:2402.12030), G groups in a row:
//
//   L = (1/G) sum_g sum_r |sort(P_g)_r - sort(Q_g)_r|

#include "loss/uld.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace aurum::loss {

at::Tensor sorted_l1(const at::Tensor& student, const at::Tensor& teacher) {
  const std::int64_t width = std::max(student.size(1), teacher.size(1));
  const auto sorted = [width](const at::Tensor& x) {
    const at::Tensor values = std::get<0>(x.sort(1, true));
    return at::constant_pad_nd(values, {0, width - x.size(1)}, 0);
  };
  return (sorted(student) - sorted(teacher)).abs().sum();
}

}  // namespace aurum::loss

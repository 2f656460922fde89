// Generalized JSD (Agarwal et al. 2024, arXiv:2306.13649, eq. 1), P of the student, Q of the
// teacher:
//
//   beta = 0   KL(Q || P)
//   beta = 1   KL(P || Q)
//   else       beta KL(Q || M) + (1 - beta) KL(P || M),  M = beta Q + (1 - beta) P

#include "loss/generalized_jsd.h"

#include <cmath>

#include <ATen/ATen.h>

namespace aurum::loss {

namespace {

constexpr double kFloor = 1e-8;

at::Tensor divergence(const at::Tensor& p, const at::Tensor& q, const at::Tensor& log_p,
                      const at::Tensor& log_q, const at::Tensor& log_m, double beta) {
  if (beta == 0.0) return (q * (log_q - log_p)).sum();
  if (beta == 1.0) return (p * (log_p - log_q)).sum();
  return beta * (q * (log_q - log_m)).sum() + (1.0 - beta) * (p * (log_p - log_m)).sum();
}

}  // namespace

at::Tensor generalized_jsd(const at::Tensor& student_log_probs, const at::Tensor& teacher_log_probs,
                           double beta) {
  at::Tensor log_m;
  if (beta != 0.0 && beta != 1.0) {
    log_m =
        at::logaddexp(teacher_log_probs + std::log(beta), student_log_probs + std::log1p(-beta));
  }
  return divergence(student_log_probs.exp(), teacher_log_probs.exp(), student_log_probs,
                    teacher_log_probs, log_m, beta);
}

at::Tensor generalized_jsd_of_probs(const at::Tensor& student_probs,
                                    const at::Tensor& teacher_probs, double beta) {
  const at::Tensor p = student_probs.clamp_min(kFloor), q = teacher_probs.clamp_min(kFloor);
  return divergence(p, q, p.log(), q.log(), (beta * q + (1.0 - beta) * p).log(), beta);
}

}  // namespace aurum::loss

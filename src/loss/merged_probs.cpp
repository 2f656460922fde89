// A group of tokens i..i+k becomes one distribution (row_groups.h says which rows):
//
//   bayesian   p_{i+k} prod_{j=i..i+k-1} max(p_j(x_j), 1e-8),  p_j = softmax(z[j-1])
//   observed   r_i prod_{j=i+1..i+k} max(r_j(x_j), 1e-8),      r_j = softmax(z[j])

#include "loss/merged_probs.h"

#include <ATen/ATen.h>

namespace aurum::loss {

namespace {
constexpr double kFloor = 1e-8;
}

at::Tensor merged_probs(const at::Tensor& probs, const std::vector<const GroupSide*>& sides) {
  std::vector<std::int64_t> bases, factor_positions, factor_ids, factor_groups;
  for (std::size_t g = 0; g < sides.size(); ++g) {
    bases.push_back(sides[g]->base);
    for (const auto& [position, id] : sides[g]->factors) {
      factor_positions.push_back(position);
      factor_ids.push_back(id);
      factor_groups.push_back(static_cast<std::int64_t>(g));
    }
  }
  const auto index = [](const std::vector<std::int64_t>& v) { return at::tensor(v, at::kLong); };
  const at::Tensor base = probs.index_select(0, index(bases));
  if (factor_positions.empty()) return base;
  const at::Tensor log_factors =
      probs.index({index(factor_positions), index(factor_ids)}).clamp_min(kFloor).log();
  const at::Tensor sums = at::zeros({static_cast<std::int64_t>(sides.size())}, probs.options())
                              .index_add(0, index(factor_groups), log_factors);
  return base * sums.exp().unsqueeze(1);
}

}  // namespace aurum::loss

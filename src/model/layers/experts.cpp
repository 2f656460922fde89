#include "model/layers/experts.h"

#include <ATen/ATen.h>

namespace aurum::model {

namespace {

struct Routes {
  at::Tensor weights, experts;  // [tokens, experts_per_token]
};

Routes choose_experts(const weights::ExpertConfig& config, const at::Tensor& router_logits) {
  const at::ScalarType dtype = router_logits.scalar_type();
  if (!config.softmax_before_top_k) {
    const auto [values, indices] = router_logits.topk(config.experts_per_token, -1);
    return {values.softmax(-1), indices};
  }
  const at::Tensor all = router_logits.softmax(-1, at::kFloat);
  auto [values, indices] = all.topk(config.experts_per_token, -1);
  if (config.normalize_weights) values = values / values.sum(-1, true);
  return {values.to(dtype), indices};
}

}  // namespace

at::Tensor Mlp::operator()(const MlpActivation& activation, const at::Tensor& x) const {
  return down(apply_activation(activation, gate_up(x)));
}

at::Tensor Experts::operator()(const weights::ExpertConfig& config, const MlpActivation& activation,
                               const at::Tensor& x) const {
  const Routes routes = choose_experts(config, router(x));
  at::Tensor out = at::zeros_like(x);
  for (std::size_t e = 0; e < experts.size(); ++e) {
    const auto places = (routes.experts == static_cast<std::int64_t>(e)).nonzero().unbind(1);
    const at::Tensor &tokens = places[0], &slots = places[1];
    if (tokens.numel() == 0) continue;
    const at::Tensor answer = experts[e](activation, x.index_select(0, tokens));
    out.index_add_(0, tokens, answer * routes.weights.index({tokens, slots}).unsqueeze(1));
  }
  return out;
}

}  // namespace aurum::model

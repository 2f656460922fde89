// AdamW       Loshchilov & Hutter 2019, algorithm 2
// SGD, Adagrad, RMSprop   torch.optim, with torch's defaults; weight decay joins the gradient
// Adafactor   transformers.Adafactor with scale_parameter and relative_step off, as its trainer
//             has it
// Lion        Chen et al. 2023, algorithm 2

#include "train/update_rule.h"

#include <cmath>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/parallel.h"

namespace aurum::train {

namespace {

using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kGrain = 1 << 15;

float single(double value) { return static_cast<float>(value); }

// Calls element(i, scaled gradient, weight) for every value of the parameter.
template <typename Element>
void for_each_value(const ParameterUpdate& of, const Element& element) {
  auto* weight = of.master.mutable_data_ptr<float>();
  const auto* gradient = of.gradient.const_data_ptr<float>();
  const float scale = single(of.scale);
  parallel_for(of.master.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) element(i, gradient[i] * scale, weight[i]);
  });
}

float* state(const ParameterUpdate& of, std::size_t index) {
  return of.states[index].mutable_data_ptr<float>();
}

class AdamW : public UpdateRule {
 public:
  explicit AdamW(const OptimizerConfig& config) : config_(config) {}

  std::vector<RuleState> states_for(const Shape& shape) const override {
    return {{"first_moment", shape}, {"second_moment", shape}};
  }

  void apply(const ParameterUpdate& of) const override {
    const auto correction1 = single(1.0 - std::pow(config_.beta1, of.step));
    const auto root_correction2 = single(std::sqrt(1.0 - std::pow(config_.beta2, of.step)));
    const float beta1 = single(config_.beta1), beta2 = single(config_.beta2);
    const float epsilon = single(config_.epsilon), rate = single(of.learning_rate);
    const float shrink = single(1.0 - of.learning_rate * of.weight_decay);
    float *first = state(of, 0), *second = state(of, 1);
    for_each_value(of, [=](std::int64_t i, float g, float& weight) {
      first[i] = beta1 * first[i] + (1.0F - beta1) * g;
      second[i] = beta2 * second[i] + (1.0F - beta2) * g * g;
      const float denominator = std::sqrt(second[i]) / root_correction2 + epsilon;
      weight = shrink * weight - rate * (first[i] / correction1) / denominator;
    });
  }

 private:
  OptimizerConfig config_;
};

class Sgd : public UpdateRule {
 public:
  explicit Sgd(const OptimizerConfig& config) : momentum_(single(config.momentum)) {}

  std::vector<RuleState> states_for(const Shape& shape) const override {
    if (momentum_ == 0.0F) return {};
    return {{"momentum", shape}};
  }

  void apply(const ParameterUpdate& of) const override {
    const float rate = single(of.learning_rate), decay = single(of.weight_decay);
    const float momentum = momentum_;
    float* buffer = of.states.empty() ? nullptr : state(of, 0);
    for_each_value(of, [=](std::int64_t i, float g, float& weight) {
      g += decay * weight;
      if (buffer != nullptr) g = buffer[i] = momentum * buffer[i] + g;
      weight -= rate * g;
    });
  }

 private:
  float momentum_;
};

class Adagrad : public UpdateRule {
 public:
  std::vector<RuleState> states_for(const Shape& shape) const override {
    return {{"square_sum", shape}};
  }

  void apply(const ParameterUpdate& of) const override {
    constexpr float kEpsilon = 1e-10F;
    const float rate = single(of.learning_rate), decay = single(of.weight_decay);
    float* sum = state(of, 0);
    for_each_value(of, [=](std::int64_t i, float g, float& weight) {
      g += decay * weight;
      sum[i] += g * g;
      weight -= rate * g / (std::sqrt(sum[i]) + kEpsilon);
    });
  }
};

class RmsProp : public UpdateRule {
 public:
  std::vector<RuleState> states_for(const Shape& shape) const override {
    return {{"square_mean", shape}};
  }

  void apply(const ParameterUpdate& of) const override {
    constexpr float kAlpha = 0.99F, kEpsilon = 1e-8F;
    const float rate = single(of.learning_rate), decay = single(of.weight_decay);
    float* mean = state(of, 0);
    for_each_value(of, [=](std::int64_t i, float g, float& weight) {
      g += decay * weight;
      mean[i] = kAlpha * mean[i] + (1.0F - kAlpha) * g * g;
      weight -= rate * g / (std::sqrt(mean[i]) + kEpsilon);
    });
  }
};

class Lion : public UpdateRule {
 public:
  explicit Lion(const OptimizerConfig& config) : config_(config) {}

  std::vector<RuleState> states_for(const Shape& shape) const override {
    return {{"first_moment", shape}};
  }

  void apply(const ParameterUpdate& of) const override {
    const float beta1 = single(config_.beta1), beta2 = single(config_.beta2);
    const float rate = single(of.learning_rate);
    const float shrink = single(1.0 - of.learning_rate * of.weight_decay);
    float* moment = state(of, 0);
    for_each_value(of, [=](std::int64_t i, float g, float& weight) {
      const float direction = beta1 * moment[i] + (1.0F - beta1) * g;
      const float sign = static_cast<float>((direction > 0) - (direction < 0));
      weight = shrink * weight - rate * sign;
      moment[i] = beta2 * moment[i] + (1.0F - beta2) * g;
    });
  }

 private:
  OptimizerConfig config_;
};

// The second moment of a matrix is kept as its row and column means.
class Adafactor : public UpdateRule {
 public:
  std::vector<RuleState> states_for(const Shape& shape) const override {
    if (shape.size() < 2) return {{"square_mean", shape}};
    Shape rows(shape.begin(), shape.end() - 1), columns(shape.begin(), shape.end() - 2);
    columns.push_back(shape.back());
    return {{"square_mean_of_rows", rows}, {"square_mean_of_columns", columns}};
  }

  void apply(const ParameterUpdate& of) const override {
    constexpr double kDecayRate = -0.8, kEpsilon = 1e-30, kClipThreshold = 1.0;
    const double beta2 = 1.0 - std::pow(static_cast<double>(of.step), kDecayRate);
    const at::Tensor gradient = of.gradient * of.scale;
    const at::Tensor square = gradient.square().add_(kEpsilon);
    at::Tensor update = inverse_root(of.states, square, beta2).mul_(gradient);
    const double rms = root_mean_square(update);
    update.mul_(of.learning_rate / std::max(1.0, rms / kClipThreshold));
    if (of.weight_decay != 0.0) of.master.mul_(1.0 - of.weight_decay * of.learning_rate);
    of.master.sub_(update);
  }

 private:
  static double root_mean_square(const at::Tensor& values) {
    return values.norm().item<double>() / std::sqrt(static_cast<double>(values.numel()));
  }

  static at::Tensor inverse_root(std::vector<at::Tensor>& states, const at::Tensor& square,
                                 double beta2) {
    if (states.size() == 1) {
      return states[0].mul_(beta2).add_(square, 1.0 - beta2).rsqrt();
    }
    states[0].mul_(beta2).add_(square.mean(-1), 1.0 - beta2);
    states[1].mul_(beta2).add_(square.mean(-2), 1.0 - beta2);
    const at::Tensor rows = (states[0] / states[0].mean(-1, true)).rsqrt_().unsqueeze(-1);
    return rows * states[1].unsqueeze(-2).rsqrt();
  }
};

}  // namespace

std::unique_ptr<UpdateRule> make_update_rule(const OptimizerConfig& config) {
  if (config.type.starts_with("adamw_torch")) return std::make_unique<AdamW>(config);
  if (config.type == "sgd") return std::make_unique<Sgd>(config);
  if (config.type == "adagrad") return std::make_unique<Adagrad>();
  if (config.type == "rmsprop") return std::make_unique<RmsProp>();
  if (config.type == "adafactor") return std::make_unique<Adafactor>();
  AURUM_CHECK(config.type == "lion_32bit", "optimizer {}", config.type);
  return std::make_unique<Lion>(config);
}

}  // namespace aurum::train

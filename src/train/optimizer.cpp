#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "weights/checkpoint.h"

namespace aurum::train {

namespace {

void copy_into(const weights::SafetensorsFile& file, const std::string& path,
               const std::string& name, at::Tensor& tensor) {
  const weights::TensorView* view = file.find(name);
  const auto wanted = static_cast<std::size_t>(tensor.numel()) * sizeof(float);
  if (view == nullptr || view->dtype != weights::DType::kFloat32 || view->bytes.size() != wanted) {
    throw FormatError(fmt::format(
        "{}: tensor {} is missing or does not fit this model; the checkpoint is of another run",
        path, name));
  }
  std::memcpy(tensor.data_ptr(), view->bytes.data(), wanted);
}

weights::TensorToWrite to_write(const std::string& name, const at::Tensor& tensor) {
  const auto bytes = static_cast<std::size_t>(tensor.numel()) * sizeof(float);
  return {.name = name,
          .dtype = weights::DType::kFloat32,
          .shape = tensor.sizes().vec(),
          .bytes = {static_cast<const std::byte*>(tensor.const_data_ptr()), bytes}};
}

// sum += gradient. libtorch first copies a bfloat16 gradient to float32: a piece of it at a time.
void add_in_pieces(const at::Tensor& gradient, const at::Tensor& sum) {
  constexpr std::int64_t kPiece = std::int64_t{1} << 20;
  if (gradient.numel() <= kPiece) {
    sum.add_(gradient);
    return;
  }
  const std::int64_t size = gradient.size(0);
  const std::int64_t rows = std::max<std::int64_t>(1, kPiece * size / gradient.numel());
  for (std::int64_t begin = 0; begin < size; begin += rows) {
    const std::int64_t end = std::min(size, begin + rows);
    sum.slice(0, begin, end).add_(gradient.slice(0, begin, end));
  }
}

}  // namespace

Optimizer::Optimizer(std::vector<model::NamedParameter> parameters, const OptimizerConfig& config)
    : weight_decay_(config.weight_decay), rule_(make_update_rule(config)) {
  for (model::NamedParameter& parameter : parameters) {
    Slot slot{.parameter = parameter};
    slot.master = parameter.tensor->detach().to(at::kCPU, at::kFloat, false, true).contiguous();
    slot.gradient_sum = at::zeros_like(slot.master);
    for (const RuleState& state : rule_->states_for(slot.master.sizes().vec())) {
      slot.state_names.push_back(state.name);
      slot.states.push_back(at::zeros(state.shape, at::kFloat));
    }
    slots_.push_back(std::move(slot));
  }
}

void Optimizer::accumulate_gradients() {
  for (Slot& slot : slots_) {
    at::Tensor& gradient = slot.parameter.tensor->mutable_grad();
    if (!gradient.defined()) continue;
    add_in_pieces(gradient.cpu(), slot.gradient_sum);
    gradient.reset();
  }
}

at::Tensor Optimizer::gradient_sum(const at::Tensor& weight) const {
  const auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) {
    return s.parameter.tensor->const_data_ptr() == weight.const_data_ptr();
  });
  AURUM_CHECK(slot != slots_.end(), "no parameter shares the weight's memory");
  return slot->gradient_sum;
}

double Optimizer::gradient_norm() const {
  double sum = 0.0;
  for (const Slot& slot : slots_) {
    const double norm = slot.gradient_sum.norm().item<double>();
    sum += norm * norm;
  }
  return std::sqrt(sum);
}

void Optimizer::step(double learning_rate, double gradient_scale) {
  const c10::NoGradGuard no_grad;
  ++num_steps_;
  for (Slot& slot : slots_) {
    rule_->apply({.master = slot.master,
                  .gradient = slot.gradient_sum,
                  .states = slot.states,
                  .scale = gradient_scale,
                  .learning_rate = learning_rate,
                  .weight_decay = slot.parameter.decays ? weight_decay_ : 0.0,
                  .step = num_steps_});
    slot.parameter.tensor->copy_(slot.master);
    slot.gradient_sum.zero_();
  }
}

const at::Tensor* Optimizer::find_master(const std::string& name) const {
  for (const Slot& slot : slots_) {
    if (slot.parameter.name == name) return &slot.master;
  }
  return nullptr;
}

void Optimizer::save(const std::string& file) const {
  const at::Tensor steps = at::full({1}, static_cast<double>(num_steps_), at::kFloat);
  std::vector<weights::TensorToWrite> tensors = {to_write("num_steps", steps)};
  for (const Slot& slot : slots_) {
    tensors.push_back(to_write("master." + slot.parameter.name, slot.master));
    for (std::size_t i = 0; i < slot.states.size(); ++i) {
      tensors.push_back(to_write(slot.state_names[i] + "." + slot.parameter.name, slot.states[i]));
    }
  }
  weights::write_safetensors_file(file, std::move(tensors));
}

void Optimizer::load(const std::string& path) {
  const c10::NoGradGuard no_grad;
  const auto file = weights::SafetensorsFile::open(path);
  at::Tensor steps = at::zeros({1}, at::kFloat);
  copy_into(*file, path, "num_steps", steps);
  num_steps_ = static_cast<std::int64_t>(steps.item<float>());
  for (Slot& slot : slots_) {
    copy_into(*file, path, "master." + slot.parameter.name, slot.master);
    for (std::size_t i = 0; i < slot.states.size(); ++i) {
      copy_into(*file, path, slot.state_names[i] + "." + slot.parameter.name, slot.states[i]);
    }
    slot.parameter.tensor->copy_(slot.master);
  }
}

}  // namespace aurum::train

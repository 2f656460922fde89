#include "train/optimizer.h"

#include <cmath>
#include <cstring>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "base/parallel.h"
#include "weights/checkpoint.h"

namespace aurum::train {

namespace {

constexpr std::int64_t kGrain = 1 << 15;

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

}  // namespace

AdamW::AdamW(std::vector<model::NamedParameter> parameters, const AdamWConfig& config)
    : config_(config) {
  for (model::NamedParameter& parameter : parameters) {
    Slot slot{.parameter = parameter};
    slot.master = parameter.tensor->detach().to(at::kCPU, at::kFloat, false, true).contiguous();
    slot.gradient_sum = at::zeros_like(slot.master);
    slot.first_moment = at::zeros_like(slot.master);
    slot.second_moment = at::zeros_like(slot.master);
    slots_.push_back(std::move(slot));
  }
}

void AdamW::accumulate_gradients() {
  for (Slot& slot : slots_) {
    at::Tensor& gradient = slot.parameter.tensor->mutable_grad();
    if (!gradient.defined()) continue;
    slot.gradient_sum.add_(gradient.cpu());
    gradient.reset();
  }
}

void AdamW::accumulate_gradient(const at::Tensor& weight, const at::Tensor& gradient) {
  for (Slot& slot : slots_) {
    if (slot.parameter.tensor->const_data_ptr() != weight.const_data_ptr()) continue;
    slot.gradient_sum.add_(gradient);
    return;
  }
  AURUM_CHECK(false, "no parameter shares the weight's memory");
}

double AdamW::gradient_norm() const {
  double sum = 0.0;
  for (const Slot& slot : slots_) {
    const double norm = slot.gradient_sum.norm().item<double>();
    sum += norm * norm;
  }
  return std::sqrt(sum);
}

void AdamW::step(double learning_rate, double gradient_scale) {
  const c10::NoGradGuard no_grad;
  ++num_steps_;
  for (Slot& slot : slots_) {
    update(slot, learning_rate, gradient_scale);
    slot.gradient_sum.zero_();
  }
}

void AdamW::update(Slot& slot, double learning_rate, double gradient_scale) {
  const double decay = slot.parameter.decays ? config_.weight_decay : 0.0;
  const auto correction1 = static_cast<float>(1.0 - std::pow(config_.beta1, num_steps_));
  const auto root_correction2 =
      static_cast<float>(std::sqrt(1.0 - std::pow(config_.beta2, num_steps_)));
  const auto beta1 = static_cast<float>(config_.beta1), beta2 = static_cast<float>(config_.beta2);
  const auto epsilon = static_cast<float>(config_.epsilon);
  const auto shrink = static_cast<float>(1.0 - learning_rate * decay);
  const auto rate = static_cast<float>(learning_rate), scale = static_cast<float>(gradient_scale);
  auto* weight = slot.master.mutable_data_ptr<float>();
  auto* first = slot.first_moment.mutable_data_ptr<float>();
  auto* second = slot.second_moment.mutable_data_ptr<float>();
  const auto* gradient = slot.gradient_sum.const_data_ptr<float>();
  parallel_for(slot.master.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float g = gradient[i] * scale;
      first[i] = beta1 * first[i] + (1.0F - beta1) * g;
      second[i] = beta2 * second[i] + (1.0F - beta2) * g * g;
      const float denominator = std::sqrt(second[i]) / root_correction2 + epsilon;
      weight[i] = shrink * weight[i] - rate * (first[i] / correction1) / denominator;
    }
  });
  slot.parameter.tensor->copy_(slot.master);
}

const at::Tensor& AdamW::master(const std::string& name) const {
  for (const Slot& slot : slots_) {
    if (slot.parameter.name == name) return slot.master;
  }
  AURUM_CHECK(false, "no parameter is called {}", name);
  return slots_.front().master;
}

void AdamW::save(const std::string& file) const {
  const at::Tensor steps = at::full({1}, static_cast<double>(num_steps_), at::kFloat);
  std::vector<weights::TensorToWrite> tensors = {to_write("num_steps", steps)};
  for (const Slot& slot : slots_) {
    tensors.push_back(to_write("master." + slot.parameter.name, slot.master));
    tensors.push_back(to_write("first_moment." + slot.parameter.name, slot.first_moment));
    tensors.push_back(to_write("second_moment." + slot.parameter.name, slot.second_moment));
  }
  weights::write_safetensors_file(file, std::move(tensors));
}

void AdamW::load(const std::string& path) {
  const c10::NoGradGuard no_grad;
  const auto file = weights::SafetensorsFile::open(path);
  at::Tensor steps = at::zeros({1}, at::kFloat);
  copy_into(*file, path, "num_steps", steps);
  num_steps_ = static_cast<std::int64_t>(steps.item<float>());
  for (Slot& slot : slots_) {
    copy_into(*file, path, "master." + slot.parameter.name, slot.master);
    copy_into(*file, path, "first_moment." + slot.parameter.name, slot.first_moment);
    copy_into(*file, path, "second_moment." + slot.parameter.name, slot.second_moment);
    slot.parameter.tensor->copy_(slot.master);
  }
}

}  // namespace aurum::train

#include "rollout/colocated_rollout_source.h"

#include <map>
#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "base/error.h"
#include "rollout/decoder_model.h"

namespace aurum::rollout {

namespace {

std::int64_t weight_bytes(model::CausalLm& model) {
  std::int64_t bytes = 0;
  for (const model::NamedParameter& parameter : model.parameters()) {
    bytes += static_cast<std::int64_t>(parameter.tensor->nbytes());
  }
  return bytes;
}

// A decoder over copies of everything that trains. Weights under an adapter never change, so they
// are shared.
DecoderModel copied_decoder_model(model::CausalLm& model) {
  std::map<std::string, at::Tensor> parameters;
  for (const model::NamedParameter& parameter : model.parameters()) {
    parameters[parameter.name] = *parameter.tensor;
  }
  std::map<std::string, at::Tensor> copies;  // a tied weight is asked for twice
  const auto find = [&](const std::string& name) -> std::optional<MemoryTensor> {
    at::Tensor& copy = copies[name];
    if (!copy.defined() && parameters.contains(name)) {
      const at::Tensor& own = parameters[name];
      copy = own.detach().to(at::kCPU, own.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
    } else if (!copy.defined()) {
      copy = model.frozen_tensor(name);
      if (!copy.defined()) return std::nullopt;
      copy = copy.detach().cpu();
    }
    const bool is_matrix = copy.dim() == 2;
    return MemoryTensor{.data = copy.const_data_ptr(),
                        .is_bfloat16 = copy.scalar_type() == at::kBFloat16,
                        .rows = is_matrix ? copy.size(0) : 1,
                        .cols = is_matrix ? copy.size(1) : copy.numel(),
                        .owner = std::make_shared<at::Tensor>(copy)};
  };
  return make_decoder_model(model.config(), find, model.adapter_config());
}

}  // namespace

ColocatedRolloutSource::ColocatedRolloutSource(model::CausalLm& student,
                                               const ColocatedEngineConfig& config,
                                               std::vector<std::int32_t> end_of_turn_ids,
                                               std::int64_t vocab_size,
                                               std::shared_ptr<const text::Tokenizer> tokenizer)
    : student_(student),
      config_(config),
      end_of_turn_ids_(std::move(end_of_turn_ids)),
      vocab_size_(vocab_size),
      tokenizer_(std::move(tokenizer)) {
  AURUM_CHECK(!config.sleeps || config.sync_frequency == 1);
  const std::int64_t bytes = weight_bytes(student);
  if (bytes >= config.budget_bytes) {
    throw InputError(fmt::format(
        "the engine's copy of the weights takes {:.1f} MB, and training.gold."
        "vllm_gpu_memory_utilization leaves it {:.1f} MB: raise it, or set use_vllm: false",
        static_cast<double>(bytes) / 1e6, static_cast<double>(config.budget_bytes) / 1e6));
  }
  if (!config.sleeps) wake();
}

ColocatedRolloutSource::~ColocatedRolloutSource() = default;

void ColocatedRolloutSource::wake() {
  engine_ = std::make_unique<LocalRolloutSource>(
      [this] { return copied_decoder_model(student_); }, end_of_turn_ids_, vocab_size_,
      LocalRolloutOptions{
          .tokenizer = tokenizer_,
          .kv_memory = {.budget_bytes = config_.budget_bytes - weight_bytes(student_),
                        .is_paged = true}});
}

std::vector<Rollout> ColocatedRolloutSource::generate(std::span<const RolloutRequest> requests,
                                                      const TokenCallback& on_token) {
  if (is_asleep()) wake();
  return engine_->generate(requests, on_token);
}

void ColocatedRolloutSource::sleep() {
  if (config_.sleeps) engine_.reset();
}

void ColocatedRolloutSource::sync_weights() {
  if (++num_updates_ % config_.sync_frequency == 0) copy_weights();
}

void ColocatedRolloutSource::resume(std::int64_t num_updates) {
  num_updates_ = num_updates;
  copy_weights();
}

// At once, because later weights are others. Asleep there is nothing to refresh: waking copies.
void ColocatedRolloutSource::copy_weights() {
  if (is_asleep()) return;
  engine_.reset();  // first, so that two copies never exist at once
  wake();
}

}  // namespace aurum::rollout

#include "rollout/colocated_rollout_source.h"

#include <utility>

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
      [this] { return make_decoder_model(student_, TrainedWeights::kCopied); }, end_of_turn_ids_,
      vocab_size_,
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

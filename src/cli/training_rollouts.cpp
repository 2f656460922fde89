#include "cli/training_rollouts.h"

#include <filesystem>

#include "base/memory.h"
#include "cli/loss_options.h"
#include "rollout/cached_rollout_source.h"
#include "rollout/colocated_rollout_source.h"
#include "rollout/decoder_model.h"
#include "rollout/local_rollout_source.h"
#include "serve/http_rollout_source.h"
#include "telemetry/run_files.h"

namespace aurum::cli {

using rollout::LocalRolloutSource;

std::unique_ptr<rollout::RolloutSource> make_student_rollouts(
    model::CausalLm& student, const config::TrainingConfig& config,
    const std::shared_ptr<const text::Tokenizer>& tokenizer) {
  const config::GoldParams& gold = config.training.gold;
  const std::vector<std::int32_t>& ends = tokenizer->special_tokens().end_of_turn;
  if (gold.use_vllm && gold.vllm_mode == "server") {
    const serve::RolloutServerAddress address{.host = gold.vllm_server_host,
                                              .port = static_cast<int>(gold.vllm_server_port),
                                              .timeout_seconds = gold.vllm_server_timeout};
    return std::make_unique<serve::HttpRolloutSource>(student, address, gold.vllm_sync_frequency,
                                                      ends);
  }
  if (gold.use_vllm) {
    const double budget =
        gold.vllm_gpu_memory_utilization * static_cast<double>(available_memory_bytes());
    const rollout::ColocatedEngineConfig engine{.sync_frequency = gold.vllm_sync_frequency,
                                                .budget_bytes = static_cast<std::int64_t>(budget),
                                                .sleeps = gold.vllm_enable_sleep_mode};
    return std::make_unique<rollout::ColocatedRolloutSource>(student, engine, ends,
                                                             tokenizer->vocab_size(), tokenizer);
  }
  return std::make_unique<LocalRolloutSource>(
      student, ends, tokenizer->vocab_size(),
      rollout::LocalRolloutOptions{.tokenizer = tokenizer,
                                   .kv_memory = {.is_paged = gold.use_transformers_paged}});
}

std::unique_ptr<rollout::RolloutSource> make_teacher_rollouts(const TrainingModelFiles& files,
                                                              const config::TrainingConfig& config,
                                                              const text::Tokenizer& tokenizer) {
  const config::GoldParams& gold = config.training.gold;
  if (!uses_sequence_level_kd(gold)) return nullptr;
  const auto checkpoint = files.teacher ? files.teacher : files.student;
  const model::ComputeDType dtype = teacher_dtype(gold);
  const auto make_source = [=, ends = tokenizer.special_tokens().end_of_turn,
                            vocab_size = tokenizer.vocab_size()] {
    return std::make_unique<LocalRolloutSource>(
        [=] { return rollout::make_decoder_model(checkpoint, dtype); }, ends, vocab_size);
  };
  const std::filesystem::path file =
      std::filesystem::path(config.training.output_dir) / telemetry::kTeacherCompletionsFile;
  return std::make_unique<rollout::CachedRolloutSource>(
      make_source, *gold.teacher_model_name_or_path, file.string());
}

}  // namespace aurum::cli

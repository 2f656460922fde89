#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/field.h"
#include "config/values.h"

namespace aurum::config {

inline constexpr const char* kNotGrpo = "it belongs to TRL_GRPO";
inline constexpr const char* kNotGkd = "it belongs to TRL_GKD";

// training.grpo: known, so that Oumi's files read, and without effect.
struct GrpoParams {
  Mapping model_init_kwargs;
  std::optional<std::int64_t> max_prompt_length;
  std::optional<std::int64_t> max_completion_length;
  std::optional<std::int64_t> num_generations;
  double temperature = 0.9;
  bool remove_unused_columns = false;
  std::optional<double> repetition_penalty = 1.0;
  bool use_vllm = false;
  std::optional<std::string> vllm_mode;
  double vllm_gpu_memory_utilization = 0.9;
  double epsilon = 0.2;
  bool log_completions = false;
  std::optional<std::string> rollout_function;

  static void fields(auto& self, auto&& visit) {
    visit("model_init_kwargs", self.model_init_kwargs,
          ignored("GRPO: how the model is loaded.", kNotGrpo));
    visit("max_prompt_length", self.max_prompt_length,
          ignored("GRPO: longest prompt.", kNotGrpo).at_least(1).in("tokens"));
    visit("max_completion_length", self.max_completion_length,
          ignored("GRPO: longest completion.", kNotGrpo).at_least(1).in("tokens"));
    visit("num_generations", self.num_generations,
          ignored("GRPO: completions per prompt.", kNotGrpo).at_least(1));
    visit("temperature", self.temperature,
          ignored("GRPO: temperature of sampling.", kNotGrpo).between(0, 1));
    visit("remove_unused_columns", self.remove_unused_columns,
          ignored("GRPO: keeps only the prompt column.", kNotGrpo));
    visit("repetition_penalty", self.repetition_penalty,
          ignored("GRPO: penalty of repeated tokens.", kNotGrpo));
    visit("use_vllm", self.use_vllm, ignored("GRPO: generates with vLLM.", kNotGrpo));
    visit("vllm_mode", self.vllm_mode, ignored("GRPO: server or colocate.", kNotGrpo));
    visit("vllm_gpu_memory_utilization", self.vllm_gpu_memory_utilization,
          ignored("GRPO: vLLM's share of device memory.", kNotGrpo));
    visit("epsilon", self.epsilon, ignored("GRPO: clipping range.", kNotGrpo));
    visit("log_completions", self.log_completions,
          ignored("GRPO: logs prompts and completions.", kNotGrpo));
    visit("rollout_function", self.rollout_function,
          ignored("GRPO: a registered rollout function.", kNotGrpo));
  }
};

// training.gkd: likewise.
struct GkdParams {
  std::optional<std::string> teacher_model_name_or_path;
  Mapping teacher_model_init_kwargs{Json{{"dtype", "auto"}}};
  double temperature = 0.9;
  double lmbda = 0.5;
  double beta = 0.5;
  std::int64_t max_new_tokens = 128;
  bool disable_dropout = true;
  bool seq_kd = false;

  static void fields(auto& self, auto&& visit) {
    visit("teacher_model_name_or_path", self.teacher_model_name_or_path,
          ignored("GKD: the teacher.", kNotGkd));
    visit("teacher_model_init_kwargs", self.teacher_model_init_kwargs,
          ignored("GKD: how the teacher is loaded.", kNotGkd));
    visit("temperature", self.temperature,
          ignored("GKD: temperature of sampling.", kNotGkd).above_up_to(0, 1));
    visit("lmbda", self.lmbda, ignored("GKD: share of on-policy rows.", kNotGkd).between(0, 1));
    visit("beta", self.beta, ignored("GKD: interpolation of the JSD.", kNotGkd).between(0, 1));
    visit("max_new_tokens", self.max_new_tokens,
          ignored("GKD: longest completion.", kNotGkd).at_least(1).in("tokens"));
    visit("disable_dropout", self.disable_dropout,
          ignored("GKD: sets the student's dropout to 0.", kNotGkd));
    visit("seq_kd", self.seq_kd, ignored("GKD: sequence-level distillation.", kNotGkd));
  }
};

}  // namespace aurum::config

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace aurum::config {

// The keys of Oumi's TrainingConfig that act here, with Oumi's names. All other known keys are
// checked and kept in `effective_yaml`.

struct DatasetParams {
  std::string dataset_name;
  std::optional<std::string> dataset_path;
  std::string split;
  std::optional<std::int64_t> sample_count;
};

struct DatasetSplitParams {
  std::vector<DatasetParams> datasets;
};

struct DataParams {
  DatasetSplitParams train, validation;
};

struct ModelParams {
  std::string model_name;
  std::optional<std::string> tokenizer_name, chat_template;
  std::optional<std::int64_t> model_max_length;
  std::string torch_dtype_str;
};

struct GoldParams {
  std::optional<std::string> teacher_model_name_or_path, teacher_tokenizer_name_or_path;
  double temperature = 0.9, top_p = 0.95, lmbda = 0.5, beta = 0.5;
  std::int64_t top_k = 0, max_completion_length = 128, num_generations = 1;
  bool seq_kd = false, use_uld_loss = false, use_extended_uld = true, uld_use_hybrid_loss = false;
  std::optional<double> uld_hybrid_matched_weight, uld_hybrid_unmatched_weight;
  double uld_crossentropy_weight = 0.0, uld_distillation_weight = 1.0;
  double uld_student_temperature = 1.0, uld_teacher_temperature = 1.0;
  bool uld_skip_student_eos = true, uld_skip_teacher_eos = true;
  bool use_vllm = false;
  std::string uld_token_merge_strategy, teacher_prompt;
  std::optional<std::string> compat;
};

struct TrainingParams {
  std::string trainer_type, output_dir, eval_strategy, lr_scheduler_type, optimizer;
  std::string mixed_precision_dtype;  // NONE, FP16 or BF16
  bool use_peft = false, enable_gradient_checkpointing = false, save_final_model = true;
  bool try_resume_from_last_checkpoint = false;
  std::optional<std::string> resume_from_checkpoint;
  std::int64_t per_device_train_batch_size = 8, per_device_eval_batch_size = 8;
  std::int64_t gradient_accumulation_steps = 1, max_steps = -1, num_train_epochs = 3;
  std::int64_t save_steps = 500, seed = 42, data_seed = 42, logging_steps = 50;
  double eval_steps = 500, learning_rate = 5e-5, weight_decay = 0.0;
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
  std::optional<double> warmup_ratio, max_grad_norm;
  std::optional<std::int64_t> warmup_steps;
  GoldParams gold;
};

struct TrainingConfig {
  DataParams data;
  ModelParams model;
  TrainingParams training;
  std::string effective_yaml;                    // every key, defaults included
  std::vector<std::string> keys_without_effect;  // set by the user, but nothing here reads them
};

// Reads a YAML file, lays "dotted.key" -> YAML value overrides over it, and checks every key's
// name, type and range. Throws ConfigError ("file:line: ...") or IoError.
TrainingConfig load_training_config(
    const std::string& file, const std::vector<std::pair<std::string, std::string>>& overrides);

// The JSON of TRL's GOLDConfig keyword arguments that this configuration stands for.
std::string export_trl(const TrainingConfig& config);

}  // namespace aurum::config

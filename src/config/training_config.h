#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace aurum::config {

// Free-form values (keyword arguments, "int or auto").
using Json = nlohmann::ordered_json;

enum class TrainerType { kTrlSft, kTrlDpo, kTrlKto, kTrlGrpo, kTrlGkd, kTrlGold, kHf, kOumi, kVerlGrpo };
enum class MixedPrecisionDtype { kNone, kFp16, kBf16 };
enum class PeftSaveMode { kAdapterOnly, kAdapterAndBaseModel, kMerged };

// The sections of an Oumi training config; member names are the YAML keys and the initial values
// are Oumi's defaults. field_lists.h describes each key once more: its range and whether it acts.
struct DatasetParams {
  std::string dataset_name;
  std::optional<std::string> dataset_path;
  std::optional<std::string> subset;
  std::string split = "train";
  Json dataset_kwargs = Json::object();
  std::optional<std::int64_t> sample_count;
  std::optional<double> mixture_proportion;
  bool shuffle = false;
  std::optional<std::int64_t> seed;
  std::int64_t shuffle_buffer_size = 1000;
  bool trust_remote_code = false;
  Json transform_num_workers;
};

struct DatasetSplitParams {
  std::vector<DatasetParams> datasets;
  std::optional<std::string> collator_name;
  Json collator_kwargs = Json::object();
  std::optional<std::string> train_target;
  bool pack = false;
  bool stream = false;
  std::optional<std::string> target_col;
  std::string mixture_strategy = "first_exhausted";
  std::optional<std::int64_t> seed;
  std::optional<bool> use_torchdata;
};

struct DataParams {
  DatasetSplitParams train;
  DatasetSplitParams test;
  DatasetSplitParams validation;
};

struct ModelParams {
  std::string model_name;
  std::optional<std::string> adapter_model;
  bool adapter_trainable = false;
  std::optional<std::string> tokenizer_name;
  std::optional<std::string> tokenizer_pad_token;
  Json tokenizer_kwargs = Json::object();
  Json processor_kwargs = Json::object();
  std::optional<std::int64_t> model_max_length;
  bool load_pretrained_weights = true;
  bool trust_remote_code = false;
  std::string torch_dtype_str = "auto";
  bool compile = false;
  std::optional<std::string> chat_template;
  Json chat_template_kwargs;
  std::optional<std::string> attn_implementation;
  std::optional<std::string> device_map = "auto";
  Json model_kwargs = Json::object();
  bool enable_liger_kernel = false;
  bool shard_for_eval = false;
  std::vector<std::string> freeze_layers;
  bool text_only = false;
  std::optional<std::string> model_revision;
  std::optional<std::string> tool_call_parser;
};

struct GrpoParams {
  Json model_init_kwargs = Json::object();
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
};

struct GkdParams {
  std::optional<std::string> teacher_model_name_or_path;
  Json teacher_model_init_kwargs = Json::object({{"dtype", "auto"}});
  double temperature = 0.9;
  double lmbda = 0.5;
  double beta = 0.5;
  std::int64_t max_new_tokens = 128;
  bool disable_dropout = true;
  bool seq_kd = false;
};

struct GoldParams {
  std::optional<std::string> teacher_model_name_or_path;
  Json teacher_model_init_kwargs = Json::object({{"torch_dtype", "auto"}});
  std::optional<std::string> teacher_tokenizer_name_or_path;
  double temperature = 0.9;
  double top_p = 0.95;
  std::int64_t top_k = 0;
  double lmbda = 0.5;
  double beta = 0.5;
  std::int64_t max_completion_length = 128;
  bool disable_dropout = true;
  bool seq_kd = false;
  bool use_uld_loss = false;
  bool use_extended_uld = true;
  bool uld_use_hybrid_loss = false;
  std::optional<double> uld_hybrid_matched_weight;
  std::optional<double> uld_hybrid_unmatched_weight;
  double uld_crossentropy_weight = 0.0;
  double uld_distillation_weight = 1.0;
  double uld_student_temperature = 1.0;
  double uld_teacher_temperature = 1.0;
  bool uld_skip_student_eos = true;
  bool uld_skip_teacher_eos = true;
  bool use_transformers_paged = false;
  bool use_vllm = false;
  std::string vllm_mode = "server";
  std::string vllm_server_host = "0.0.0.0";
  std::int64_t vllm_server_port = 8001;
  double vllm_server_timeout = 240.0;
  double vllm_gpu_memory_utilization = 0.9;
  std::int64_t vllm_tensor_parallel_size = 1;
  std::optional<std::string> vllm_guided_decoding_regex;
  std::int64_t vllm_sync_frequency = 1;
  bool vllm_enable_sleep_mode = false;
  std::string uld_token_merge_strategy = "bayesian";
  std::string teacher_prompt = "teacher_template";
  std::int64_t num_generations = 1;
  std::string compat = "none";
};

struct ProfilerScheduleParams {
  bool enable_schedule = false;
  std::int64_t wait = 0;
  std::int64_t warmup = 1;
  std::int64_t active = 3;
  std::int64_t repeat = 1;
  std::int64_t skip_first = 1;
};

struct ProfilerParams {
  std::optional<std::string> save_dir;
  bool enable_cpu_profiling = false;
  bool enable_cuda_profiling = false;
  bool record_shapes = false;
  bool profile_memory = false;
  bool with_stack = false;
  bool with_flops = false;
  bool with_modules = false;
  std::int64_t row_limit = 50;
  ProfilerScheduleParams schedule;
};

struct TelemetryParams {
  std::optional<std::string> telemetry_dir = "telemetry";
  bool collect_telemetry_for_all_ranks = false;
  bool track_gpu_temperature = false;
};

struct TrainingParams {
  bool use_peft = false;
  TrainerType trainer_type = TrainerType::kHf;
  bool enable_gradient_checkpointing = false;
  Json gradient_checkpointing_kwargs = Json::object();
  std::string output_dir = "output";
  std::int64_t per_device_train_batch_size = 8;
  std::int64_t per_device_eval_batch_size = 8;
  std::int64_t gradient_accumulation_steps = 1;
  std::int64_t max_steps = -1;
  std::int64_t num_train_epochs = 3;
  bool save_epoch = false;
  std::int64_t save_steps = 500;
  bool save_final_model = true;
  std::int64_t seed = 42;
  std::int64_t data_seed = 42;
  bool use_deterministic = false;
  bool full_determinism = false;
  std::optional<std::string> run_name;
  std::optional<std::string> metrics_function;
  std::optional<std::vector<std::string>> reward_functions;
  Json reward_function_kwargs = Json::object();
  GrpoParams grpo;
  GkdParams gkd;
  GoldParams gold;
  std::string log_level = "info";
  std::string dep_log_level = "warning";
  bool log_examples = false;
  bool enable_wandb = false;
  bool enable_mlflow = false;
  bool enable_tensorboard = true;
  std::string logging_strategy = "steps";
  std::optional<std::string> logging_dir;
  std::int64_t logging_steps = 50;
  bool logging_first_step = false;
  std::string eval_strategy = "no";
  double eval_steps = 500.0;
  double learning_rate = 5e-05;
  std::string lr_scheduler_type = "linear";
  Json lr_scheduler_kwargs = Json::object();
  std::optional<double> warmup_ratio;
  std::optional<std::int64_t> warmup_steps;
  std::string optimizer = "adamw_torch";
  double weight_decay = 0.0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-08;
  double sgd_momentum = 0.0;
  MixedPrecisionDtype mixed_precision_dtype = MixedPrecisionDtype::kNone;
  bool compile = false;
  bool include_performance_metrics = false;
  bool include_alternative_mfu_metrics = false;
  bool log_model_summary = false;
  std::optional<std::string> resume_from_checkpoint;
  bool try_resume_from_last_checkpoint = false;
  Json dataloader_num_workers = 0;
  bool dataloader_persistent_workers = false;
  std::optional<std::int64_t> dataloader_prefetch_factor;
  std::optional<bool> dataloader_main_process_only;
  std::optional<bool> ddp_find_unused_parameters;
  std::optional<double> max_grad_norm = 1.0;
  Json trainer_kwargs = Json::object();
  Json verl_config_overrides = Json::object();
  ProfilerParams profiler;
  TelemetryParams telemetry;
  std::optional<std::int64_t> empty_device_cache_steps;
  std::optional<double> nccl_default_timeout_minutes;
  std::optional<std::int64_t> label_ignore_index;
};

struct PeftParams {
  std::int64_t lora_r = 8;
  std::int64_t lora_alpha = 8;
  double lora_dropout = 0.0;
  std::optional<std::vector<std::string>> lora_target_modules;
  std::optional<std::vector<std::string>> lora_exclude_modules;
  std::optional<std::vector<std::string>> lora_target_parameters;
  std::optional<std::vector<std::string>> lora_modules_to_save;
  std::string lora_bias = "none";
  std::string lora_init_weights = "DEFAULT";
  std::string lora_task_type = "CAUSAL_LM";
  bool q_lora = false;
  std::int64_t q_lora_bits = 4;
  std::string bnb_4bit_quant_type = "fp4";
  std::optional<std::vector<std::string>> llm_int8_skip_modules;
  bool use_bnb_nested_quant = false;
  std::string bnb_4bit_quant_storage = "uint8";
  std::string bnb_4bit_compute_dtype = "float32";
  PeftSaveMode peft_save_mode = PeftSaveMode::kAdapterOnly;
};

struct FsdpParams {
  bool enable_fsdp = false;
  std::string sharding_strategy = "FULL_SHARD";
  bool cpu_offload = false;
  std::optional<std::string> mixed_precision;
  std::string backward_prefetch = "BACKWARD_PRE";
  bool forward_prefetch = false;
  std::optional<bool> use_orig_params;
  std::string state_dict_type = "FULL_STATE_DICT";
  std::string auto_wrap_policy = "NO_WRAP";
  std::int64_t min_num_params = 100000;
  std::optional<std::string> transformer_layer_cls;
  bool sync_module_states = true;
};

struct DeepspeedOffloadParams {
  std::string device = "CPU";
  bool pin_memory = true;
  std::int64_t buffer_count = 4;
  std::int64_t buffer_count_nvme = 2;
  std::int64_t block_size = 1048576;
  std::int64_t queue_depth = 8;
  bool single_submit = false;
  bool overlap_events = true;
  std::int64_t thread_count = 1;
};

struct DeepspeedParams {
  bool enable_deepspeed = false;
  std::optional<std::string> deepspeed_config_path;
  std::string zero_stage = "ZERO_0";
  DeepspeedOffloadParams offload_optimizer;
  DeepspeedOffloadParams offload_param;
  std::optional<std::string> precision;
  bool overlap_comm = false;
  bool contiguous_gradients = true;
  Json reduce_bucket_size = 500000000;
  std::int64_t allgather_bucket_size = 500000000;
  bool allgather_partitions = true;
  bool reduce_scatter = true;
  bool round_robin_gradients = false;
  Json stage3_prefetch_bucket_size = 50000000;
  Json stage3_param_persistence_threshold = 100000;
  std::int64_t stage3_max_live_parameters = 1000000000;
  std::int64_t stage3_max_reuse_distance = 1000000000;
  bool stage3_gather_16bit_weights_on_model_save = false;
  std::int64_t sub_group_size = 1000000000;
  Json train_batch_size = "auto";
  Json train_micro_batch_size_per_gpu = "auto";
  Json gradient_accumulation_steps = "auto";
  Json gradient_clipping = "auto";
  bool zero_allow_untested_optimizer = true;
  bool zero_force_ds_cpu_optimizer = true;
  Json activation_checkpointing = Json::object();
  bool memory_efficient_linear = false;
  std::int64_t steps_per_print = 10;
  bool wall_clock_breakdown = false;
};

struct TrainingConfig {
  DataParams data;
  ModelParams model;
  TrainingParams training;
  PeftParams peft;
  FsdpParams fsdp;
  DeepspeedParams deepspeed;

  std::vector<std::string> keys_set;         // dotted keys that the file or an override sets
  std::vector<std::string> keys_set_inert;  // those of them that change nothing here
};

// Dotted key ("data.train.datasets[0].dataset_path") and its value as YAML text.
using Overrides = std::vector<std::pair<std::string, std::string>>;

// Reads and validates a YAML file, with overrides on top. Throws ConfigError with file:line.
TrainingConfig load_training_config(const std::string& path, const Overrides& overrides = {});

// The keys that are set but change nothing here.
std::vector<std::string> keys_without_effect(const TrainingConfig& config);

// The whole effective config, defaults included; load_training_config reads it back.
Json to_json(const TrainingConfig& config);
std::string to_yaml(const TrainingConfig& config);

// The keyword arguments of TRL's GOLDConfig that training.gold stands for.
Json to_trl_arguments(const TrainingConfig& config);

// A Markdown table of every key: type, default, accepted values, effect.
std::string keys_as_markdown();

}  // namespace aurum::config

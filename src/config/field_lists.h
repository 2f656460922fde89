#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "config/training_config.h"

namespace aurum::config {

// What a key accepts beside its C++ type, and whether it changes anything here.
struct Rule {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_is_open = false;
  std::vector<std::string_view> choices;
  bool is_acting = false;

  Rule acting() const {
    Rule rule = *this;
    rule.is_acting = true;
    return rule;
  }
};

inline Rule at_least(double min) { return {.min = min}; }
inline Rule between(double min, double max) { return {.min = min, .max = max}; }
inline Rule above(double min, double max = std::numeric_limits<double>::infinity()) {
  return {.min = min, .max = max, .min_is_open = true};
}
inline Rule one_of(std::vector<std::string_view> choices) { return {.choices = std::move(choices)}; }

// The field lists: visit_fields calls visitor(key, member, rule) for every key of a section, in
// Oumi's order. Reading, validation, `config show`, export and the documentation all use them.
template <typename Visitor>
void visit_fields(DatasetParams& s, Visitor& visitor) {
  visitor("dataset_name", s.dataset_name, Rule{}.acting());
  visitor("dataset_path", s.dataset_path, Rule{}.acting());
  visitor("subset", s.subset, Rule{});
  visitor("split", s.split, Rule{}.acting());
  visitor("dataset_kwargs", s.dataset_kwargs, Rule{});
  visitor("sample_count", s.sample_count, at_least(1).acting());
  visitor("mixture_proportion", s.mixture_proportion, between(0, 1));
  visitor("shuffle", s.shuffle, Rule{});
  visitor("seed", s.seed, Rule{});
  visitor("shuffle_buffer_size", s.shuffle_buffer_size, Rule{});
  visitor("trust_remote_code", s.trust_remote_code, Rule{});
  visitor("transform_num_workers", s.transform_num_workers, Rule{});
}

template <typename Visitor>
void visit_fields(DatasetSplitParams& s, Visitor& visitor) {
  visitor("datasets", s.datasets, Rule{});
  visitor("collator_name", s.collator_name, Rule{});
  visitor("collator_kwargs", s.collator_kwargs, Rule{});
  visitor("train_target", s.train_target, one_of({"ALL_ASSISTANT_TURNS", "FINAL_ASSISTANT_TURN"}));
  visitor("pack", s.pack, Rule{});
  visitor("stream", s.stream, Rule{});
  visitor("target_col", s.target_col, Rule{});
  visitor("mixture_strategy", s.mixture_strategy, one_of({"first_exhausted", "all_exhausted"}));
  visitor("seed", s.seed, Rule{});
  visitor("use_torchdata", s.use_torchdata, Rule{});
}

template <typename Visitor>
void visit_fields(DataParams& s, Visitor& visitor) {
  visitor("train", s.train, Rule{});
  visitor("test", s.test, Rule{});
  visitor("validation", s.validation, Rule{});
}

template <typename Visitor>
void visit_fields(ModelParams& s, Visitor& visitor) {
  visitor("model_name", s.model_name, Rule{}.acting());
  visitor("adapter_model", s.adapter_model, Rule{});
  visitor("adapter_trainable", s.adapter_trainable, Rule{});
  visitor("tokenizer_name", s.tokenizer_name, Rule{}.acting());
  visitor("tokenizer_pad_token", s.tokenizer_pad_token, Rule{});
  visitor("tokenizer_kwargs", s.tokenizer_kwargs, Rule{});
  visitor("processor_kwargs", s.processor_kwargs, Rule{});
  visitor("model_max_length", s.model_max_length, at_least(1).acting());
  visitor("load_pretrained_weights", s.load_pretrained_weights, Rule{});
  visitor("trust_remote_code", s.trust_remote_code, Rule{});
  visitor("torch_dtype_str", s.torch_dtype_str, Rule{}.acting());
  visitor("compile", s.compile, Rule{});
  visitor("chat_template", s.chat_template, Rule{}.acting());
  visitor("chat_template_kwargs", s.chat_template_kwargs, Rule{});
  visitor("attn_implementation", s.attn_implementation, Rule{});
  visitor("device_map", s.device_map, Rule{});
  visitor("model_kwargs", s.model_kwargs, Rule{});
  visitor("enable_liger_kernel", s.enable_liger_kernel, Rule{});
  visitor("shard_for_eval", s.shard_for_eval, Rule{});
  visitor("freeze_layers", s.freeze_layers, Rule{});
  visitor("text_only", s.text_only, Rule{});
  visitor("model_revision", s.model_revision, Rule{});
  visitor("tool_call_parser", s.tool_call_parser, Rule{});
}

template <typename Visitor>
void visit_fields(GrpoParams& s, Visitor& visitor) {
  visitor("model_init_kwargs", s.model_init_kwargs, Rule{});
  visitor("max_prompt_length", s.max_prompt_length, Rule{});
  visitor("max_completion_length", s.max_completion_length, Rule{});
  visitor("num_generations", s.num_generations, Rule{});
  visitor("temperature", s.temperature, Rule{});
  visitor("remove_unused_columns", s.remove_unused_columns, Rule{});
  visitor("repetition_penalty", s.repetition_penalty, Rule{});
  visitor("use_vllm", s.use_vllm, Rule{});
  visitor("vllm_mode", s.vllm_mode, Rule{});
  visitor("vllm_gpu_memory_utilization", s.vllm_gpu_memory_utilization, Rule{});
  visitor("epsilon", s.epsilon, Rule{});
  visitor("log_completions", s.log_completions, Rule{});
  visitor("rollout_function", s.rollout_function, Rule{});
}

template <typename Visitor>
void visit_fields(GkdParams& s, Visitor& visitor) {
  visitor("teacher_model_name_or_path", s.teacher_model_name_or_path, Rule{});
  visitor("teacher_model_init_kwargs", s.teacher_model_init_kwargs, Rule{});
  visitor("temperature", s.temperature, Rule{});
  visitor("lmbda", s.lmbda, Rule{});
  visitor("beta", s.beta, Rule{});
  visitor("max_new_tokens", s.max_new_tokens, Rule{});
  visitor("disable_dropout", s.disable_dropout, Rule{});
  visitor("seq_kd", s.seq_kd, Rule{});
}

template <typename Visitor>
void visit_fields(GoldParams& s, Visitor& visitor) {
  visitor("teacher_model_name_or_path", s.teacher_model_name_or_path, Rule{}.acting());
  visitor("teacher_model_init_kwargs", s.teacher_model_init_kwargs, Rule{});
  visitor("teacher_tokenizer_name_or_path", s.teacher_tokenizer_name_or_path, Rule{}.acting());
  visitor("temperature", s.temperature, above(0, 1).acting());
  visitor("top_p", s.top_p, above(0, 1).acting());
  visitor("top_k", s.top_k, at_least(0).acting());
  visitor("lmbda", s.lmbda, between(0, 1).acting());
  visitor("beta", s.beta, between(0, 1).acting());
  visitor("max_completion_length", s.max_completion_length, at_least(1).acting());
  visitor("disable_dropout", s.disable_dropout, Rule{});
  visitor("seq_kd", s.seq_kd, Rule{}.acting());
  visitor("use_uld_loss", s.use_uld_loss, Rule{}.acting());
  visitor("use_extended_uld", s.use_extended_uld, Rule{}.acting());
  visitor("uld_use_hybrid_loss", s.uld_use_hybrid_loss, Rule{}.acting());
  visitor("uld_hybrid_matched_weight", s.uld_hybrid_matched_weight, at_least(0).acting());
  visitor("uld_hybrid_unmatched_weight", s.uld_hybrid_unmatched_weight, at_least(0).acting());
  visitor("uld_crossentropy_weight", s.uld_crossentropy_weight, at_least(0).acting());
  visitor("uld_distillation_weight", s.uld_distillation_weight, at_least(0).acting());
  visitor("uld_student_temperature", s.uld_student_temperature, above(0).acting());
  visitor("uld_teacher_temperature", s.uld_teacher_temperature, above(0).acting());
  visitor("uld_skip_student_eos", s.uld_skip_student_eos, Rule{}.acting());
  visitor("uld_skip_teacher_eos", s.uld_skip_teacher_eos, Rule{}.acting());
  visitor("use_transformers_paged", s.use_transformers_paged, Rule{});
  visitor("use_vllm", s.use_vllm, Rule{}.acting());
  visitor("vllm_mode", s.vllm_mode, one_of({"server", "colocate"}));
  visitor("vllm_server_host", s.vllm_server_host, Rule{});
  visitor("vllm_server_port", s.vllm_server_port, between(1, 65535));
  visitor("vllm_server_timeout", s.vllm_server_timeout, above(0));
  visitor("vllm_gpu_memory_utilization", s.vllm_gpu_memory_utilization, above(0, 1));
  visitor("vllm_tensor_parallel_size", s.vllm_tensor_parallel_size, at_least(1));
  visitor("vllm_guided_decoding_regex", s.vllm_guided_decoding_regex, Rule{});
  visitor("vllm_sync_frequency", s.vllm_sync_frequency, at_least(1));
  visitor("vllm_enable_sleep_mode", s.vllm_enable_sleep_mode, Rule{});
  visitor("uld_token_merge_strategy", s.uld_token_merge_strategy,
          one_of({"bayesian", "observed"}).acting());
  visitor("teacher_prompt", s.teacher_prompt,
          one_of({"teacher_template", "student_text"}).acting());
  visitor("num_generations", s.num_generations, at_least(1).acting());
  visitor("compat", s.compat, one_of({"none", "trl"}).acting());
}

template <typename Visitor>
void visit_fields(ProfilerScheduleParams& s, Visitor& visitor) {
  visitor("enable_schedule", s.enable_schedule, Rule{});
  visitor("wait", s.wait, Rule{});
  visitor("warmup", s.warmup, Rule{});
  visitor("active", s.active, Rule{});
  visitor("repeat", s.repeat, Rule{});
  visitor("skip_first", s.skip_first, Rule{});
}

template <typename Visitor>
void visit_fields(ProfilerParams& s, Visitor& visitor) {
  visitor("save_dir", s.save_dir, Rule{});
  visitor("enable_cpu_profiling", s.enable_cpu_profiling, Rule{});
  visitor("enable_cuda_profiling", s.enable_cuda_profiling, Rule{});
  visitor("record_shapes", s.record_shapes, Rule{});
  visitor("profile_memory", s.profile_memory, Rule{});
  visitor("with_stack", s.with_stack, Rule{});
  visitor("with_flops", s.with_flops, Rule{});
  visitor("with_modules", s.with_modules, Rule{});
  visitor("row_limit", s.row_limit, Rule{});
  visitor("schedule", s.schedule, Rule{});
}

template <typename Visitor>
void visit_fields(TelemetryParams& s, Visitor& visitor) {
  visitor("telemetry_dir", s.telemetry_dir, Rule{});
  visitor("collect_telemetry_for_all_ranks", s.collect_telemetry_for_all_ranks, Rule{});
  visitor("track_gpu_temperature", s.track_gpu_temperature, Rule{});
}

template <typename Visitor>
void visit_fields(TrainingParams& s, Visitor& visitor) {
  visitor("use_peft", s.use_peft, Rule{}.acting());
  visitor("trainer_type", s.trainer_type, Rule{}.acting());
  visitor("enable_gradient_checkpointing", s.enable_gradient_checkpointing, Rule{}.acting());
  visitor("gradient_checkpointing_kwargs", s.gradient_checkpointing_kwargs, Rule{});
  visitor("output_dir", s.output_dir, Rule{}.acting());
  visitor("per_device_train_batch_size", s.per_device_train_batch_size, at_least(1).acting());
  visitor("per_device_eval_batch_size", s.per_device_eval_batch_size, at_least(1).acting());
  visitor("gradient_accumulation_steps", s.gradient_accumulation_steps, at_least(1).acting());
  visitor("max_steps", s.max_steps, at_least(-1).acting());
  visitor("num_train_epochs", s.num_train_epochs, at_least(1).acting());
  visitor("save_epoch", s.save_epoch, Rule{});
  visitor("save_steps", s.save_steps, at_least(0).acting());
  visitor("save_final_model", s.save_final_model, Rule{}.acting());
  visitor("seed", s.seed, at_least(0).acting());
  visitor("data_seed", s.data_seed, at_least(0).acting());
  visitor("use_deterministic", s.use_deterministic, Rule{});
  visitor("full_determinism", s.full_determinism, Rule{});
  visitor("run_name", s.run_name, Rule{});
  visitor("metrics_function", s.metrics_function, Rule{});
  visitor("reward_functions", s.reward_functions, Rule{});
  visitor("reward_function_kwargs", s.reward_function_kwargs, Rule{});
  visitor("grpo", s.grpo, Rule{});
  visitor("gkd", s.gkd, Rule{});
  visitor("gold", s.gold, Rule{});
  visitor("log_level", s.log_level, Rule{});
  visitor("dep_log_level", s.dep_log_level, Rule{});
  visitor("log_examples", s.log_examples, Rule{});
  visitor("enable_wandb", s.enable_wandb, Rule{});
  visitor("enable_mlflow", s.enable_mlflow, Rule{});
  visitor("enable_tensorboard", s.enable_tensorboard, Rule{});
  visitor("logging_strategy", s.logging_strategy, one_of({"no", "steps", "epoch"}));
  visitor("logging_dir", s.logging_dir, Rule{});
  visitor("logging_steps", s.logging_steps, at_least(0).acting());
  visitor("logging_first_step", s.logging_first_step, Rule{});
  visitor("eval_strategy", s.eval_strategy, one_of({"no", "steps", "epoch"}).acting());
  visitor("eval_steps", s.eval_steps, at_least(0).acting());
  visitor("learning_rate", s.learning_rate, at_least(0).acting());
  visitor("lr_scheduler_type", s.lr_scheduler_type, Rule{}.acting());
  visitor("lr_scheduler_kwargs", s.lr_scheduler_kwargs, Rule{});
  visitor("warmup_ratio", s.warmup_ratio, between(0, 1).acting());
  visitor("warmup_steps", s.warmup_steps, at_least(0).acting());
  visitor("optimizer", s.optimizer, Rule{}.acting());
  visitor("weight_decay", s.weight_decay, at_least(0).acting());
  visitor("adam_beta1", s.adam_beta1, between(0, 1).acting());
  visitor("adam_beta2", s.adam_beta2, between(0, 1).acting());
  visitor("adam_epsilon", s.adam_epsilon, at_least(0).acting());
  visitor("sgd_momentum", s.sgd_momentum, at_least(0));
  visitor("mixed_precision_dtype", s.mixed_precision_dtype, Rule{}.acting());
  visitor("compile", s.compile, Rule{});
  visitor("include_performance_metrics", s.include_performance_metrics, Rule{});
  visitor("include_alternative_mfu_metrics", s.include_alternative_mfu_metrics, Rule{});
  visitor("log_model_summary", s.log_model_summary, Rule{});
  visitor("resume_from_checkpoint", s.resume_from_checkpoint, Rule{}.acting());
  visitor("try_resume_from_last_checkpoint", s.try_resume_from_last_checkpoint, Rule{}.acting());
  visitor("dataloader_num_workers", s.dataloader_num_workers, Rule{});
  visitor("dataloader_persistent_workers", s.dataloader_persistent_workers, Rule{});
  visitor("dataloader_prefetch_factor", s.dataloader_prefetch_factor, Rule{});
  visitor("dataloader_main_process_only", s.dataloader_main_process_only, Rule{});
  visitor("ddp_find_unused_parameters", s.ddp_find_unused_parameters, Rule{});
  visitor("max_grad_norm", s.max_grad_norm, at_least(0).acting());
  visitor("trainer_kwargs", s.trainer_kwargs, Rule{}.acting());
  visitor("verl_config_overrides", s.verl_config_overrides, Rule{});
  visitor("profiler", s.profiler, Rule{});
  visitor("telemetry", s.telemetry, Rule{});
  visitor("empty_device_cache_steps", s.empty_device_cache_steps, Rule{});
  visitor("nccl_default_timeout_minutes", s.nccl_default_timeout_minutes, Rule{});
  visitor("label_ignore_index", s.label_ignore_index, Rule{});
}

template <typename Visitor>
void visit_fields(PeftParams& s, Visitor& visitor) {
  visitor("lora_r", s.lora_r, at_least(1));
  visitor("lora_alpha", s.lora_alpha, Rule{});
  visitor("lora_dropout", s.lora_dropout, between(0, 1));
  visitor("lora_target_modules", s.lora_target_modules, Rule{});
  visitor("lora_exclude_modules", s.lora_exclude_modules, Rule{});
  visitor("lora_target_parameters", s.lora_target_parameters, Rule{});
  visitor("lora_modules_to_save", s.lora_modules_to_save, Rule{});
  visitor("lora_bias", s.lora_bias, one_of({"none", "all", "lora_only"}));
  visitor("lora_init_weights", s.lora_init_weights,
          one_of({"DEFAULT", "RANDOM", "GAUSSIAN", "EVA", "PISA", "PISSA_NITER", "LOFTQ", "OLORA"}));
  visitor("lora_task_type", s.lora_task_type,
          one_of({"SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"}));
  visitor("q_lora", s.q_lora, Rule{});
  visitor("q_lora_bits", s.q_lora_bits, Rule{});
  visitor("bnb_4bit_quant_type", s.bnb_4bit_quant_type, Rule{});
  visitor("llm_int8_skip_modules", s.llm_int8_skip_modules, Rule{});
  visitor("use_bnb_nested_quant", s.use_bnb_nested_quant, Rule{});
  visitor("bnb_4bit_quant_storage", s.bnb_4bit_quant_storage, Rule{});
  visitor("bnb_4bit_compute_dtype", s.bnb_4bit_compute_dtype, Rule{});
  visitor("peft_save_mode", s.peft_save_mode, Rule{});
}

template <typename Visitor>
void visit_fields(FsdpParams& s, Visitor& visitor) {
  visitor("enable_fsdp", s.enable_fsdp, Rule{});
  visitor("sharding_strategy", s.sharding_strategy,
          one_of({"FULL_SHARD", "SHARD_GRAD_OP", "HYBRID_SHARD", "NO_SHARD", "HYBRID_SHARD_ZERO2"}));
  visitor("cpu_offload", s.cpu_offload, Rule{});
  visitor("mixed_precision", s.mixed_precision, Rule{});
  visitor("backward_prefetch", s.backward_prefetch,
          one_of({"BACKWARD_PRE", "BACKWARD_POST", "NO_PREFETCH"}));
  visitor("forward_prefetch", s.forward_prefetch, Rule{});
  visitor("use_orig_params", s.use_orig_params, Rule{});
  visitor("state_dict_type", s.state_dict_type,
          one_of({"FULL_STATE_DICT", "SHARDED_STATE_DICT", "LOCAL_STATE_DICT"}));
  visitor("auto_wrap_policy", s.auto_wrap_policy,
          one_of({"SIZE_BASED_WRAP", "TRANSFORMER_BASED_WRAP", "NO_WRAP"}));
  visitor("min_num_params", s.min_num_params, Rule{});
  visitor("transformer_layer_cls", s.transformer_layer_cls, Rule{});
  visitor("sync_module_states", s.sync_module_states, Rule{});
}

template <typename Visitor>
void visit_fields(DeepspeedOffloadParams& s, Visitor& visitor) {
  visitor("device", s.device, one_of({"CPU", "NVME"}));
  visitor("pin_memory", s.pin_memory, Rule{});
  visitor("buffer_count", s.buffer_count, Rule{});
  visitor("buffer_count_nvme", s.buffer_count_nvme, Rule{});
  visitor("block_size", s.block_size, Rule{});
  visitor("queue_depth", s.queue_depth, Rule{});
  visitor("single_submit", s.single_submit, Rule{});
  visitor("overlap_events", s.overlap_events, Rule{});
  visitor("thread_count", s.thread_count, Rule{});
}

template <typename Visitor>
void visit_fields(DeepspeedParams& s, Visitor& visitor) {
  visitor("enable_deepspeed", s.enable_deepspeed, Rule{});
  visitor("deepspeed_config_path", s.deepspeed_config_path, Rule{});
  visitor("zero_stage", s.zero_stage, one_of({"ZERO_0", "ZERO_1", "ZERO_2", "ZERO_3"}));
  visitor("offload_optimizer", s.offload_optimizer, Rule{});
  visitor("offload_param", s.offload_param, Rule{});
  visitor("precision", s.precision, one_of({"FP16", "BF16"}));
  visitor("overlap_comm", s.overlap_comm, Rule{});
  visitor("contiguous_gradients", s.contiguous_gradients, Rule{});
  visitor("reduce_bucket_size", s.reduce_bucket_size, Rule{});
  visitor("allgather_bucket_size", s.allgather_bucket_size, Rule{});
  visitor("allgather_partitions", s.allgather_partitions, Rule{});
  visitor("reduce_scatter", s.reduce_scatter, Rule{});
  visitor("round_robin_gradients", s.round_robin_gradients, Rule{});
  visitor("stage3_prefetch_bucket_size", s.stage3_prefetch_bucket_size, Rule{});
  visitor("stage3_param_persistence_threshold", s.stage3_param_persistence_threshold, Rule{});
  visitor("stage3_max_live_parameters", s.stage3_max_live_parameters, Rule{});
  visitor("stage3_max_reuse_distance", s.stage3_max_reuse_distance, Rule{});
  visitor("stage3_gather_16bit_weights_on_model_save", s.stage3_gather_16bit_weights_on_model_save,
          Rule{});
  visitor("sub_group_size", s.sub_group_size, Rule{});
  visitor("train_batch_size", s.train_batch_size, Rule{});
  visitor("train_micro_batch_size_per_gpu", s.train_micro_batch_size_per_gpu, Rule{});
  visitor("gradient_accumulation_steps", s.gradient_accumulation_steps, Rule{});
  visitor("gradient_clipping", s.gradient_clipping, Rule{});
  visitor("zero_allow_untested_optimizer", s.zero_allow_untested_optimizer, Rule{});
  visitor("zero_force_ds_cpu_optimizer", s.zero_force_ds_cpu_optimizer, Rule{});
  visitor("activation_checkpointing", s.activation_checkpointing, Rule{});
  visitor("memory_efficient_linear", s.memory_efficient_linear, Rule{});
  visitor("steps_per_print", s.steps_per_print, Rule{});
  visitor("wall_clock_breakdown", s.wall_clock_breakdown, Rule{});
}

template <typename Visitor>
void visit_fields(TrainingConfig& s, Visitor& visitor) {
  visitor("data", s.data, Rule{});
  visitor("model", s.model, Rule{});
  visitor("training", s.training, Rule{});
  visitor("peft", s.peft, Rule{});
  visitor("fsdp", s.fsdp, Rule{});
  visitor("deepspeed", s.deepspeed, Rule{});
}

}  // namespace aurum::config

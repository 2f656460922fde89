#include "config/trainer_kwargs.h"

#include <map>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "config/section.h"
#include "config/section_reader.h"

namespace aurum::config {

namespace {

struct Alias {
  const char* argument;
  const char* key;
};

// Arguments that are another way to write a key of ours.
constexpr Alias kRedirected[] = {
    {"num_generations", "training.gold.num_generations"},
    {"uld_token_merge_strategy", "training.gold.uld_token_merge_strategy"},
    {"vllm_structured_outputs_regex", "training.gold.vllm_guided_decoding_regex"},
    {"max_length", "model.model_max_length"}};

// Arguments that Oumi sets itself from the named key, beside those of training.gold.
constexpr Alias kSetByOumi[] = {
    {"accelerator_config", "training.dataloader_main_process_only"},
    {"adam_beta1", "training.adam_beta1"},
    {"adam_beta2", "training.adam_beta2"},
    {"adam_epsilon", "training.adam_epsilon"},
    {"bf16", "training.mixed_precision_dtype"},
    {"data_seed", "training.data_seed"},
    {"dataloader_num_workers", "training.dataloader_num_workers"},
    {"dataloader_persistent_workers", "training.dataloader_persistent_workers"},
    {"dataloader_pin_memory", "nothing: it is always on"},
    {"dataloader_prefetch_factor", "training.dataloader_prefetch_factor"},
    {"ddp_broadcast_buffers", "training.use_deterministic"},
    {"ddp_find_unused_parameters", "training.ddp_find_unused_parameters"},
    {"deepspeed", "deepspeed"},
    {"eval_steps", "training.eval_steps"},
    {"eval_strategy", "training.eval_strategy"},
    {"fp16", "training.mixed_precision_dtype"},
    {"full_determinism", "training.full_determinism"},
    {"gradient_accumulation_steps", "training.gradient_accumulation_steps"},
    {"gradient_checkpointing", "training.enable_gradient_checkpointing"},
    {"gradient_checkpointing_kwargs", "training.gradient_checkpointing_kwargs"},
    {"include_num_input_tokens_seen", "training.include_performance_metrics"},
    {"include_tokens_per_second", "training.include_performance_metrics"},
    {"learning_rate", "training.learning_rate"},
    {"log_level", "training.dep_log_level"},
    {"logging_first_step", "training.logging_first_step"},
    {"logging_steps", "training.logging_steps"},
    {"logging_strategy", "training.logging_strategy"},
    {"lr_scheduler_kwargs", "training.lr_scheduler_kwargs"},
    {"lr_scheduler_type", "training.lr_scheduler_type"},
    {"max_grad_norm", "training.max_grad_norm"},
    {"max_steps", "training.max_steps"},
    {"num_train_epochs", "training.num_train_epochs"},
    {"optim", "training.optimizer"},
    {"output_dir", "training.output_dir"},
    {"per_device_eval_batch_size", "training.per_device_eval_batch_size"},
    {"per_device_train_batch_size", "training.per_device_train_batch_size"},
    {"push_to_hub", "nothing: it is always off"},
    {"report_to", "training.enable_tensorboard"},
    {"run_name", "training.run_name"},
    {"save_steps", "training.save_steps"},
    {"save_strategy", "training.save_epoch"},
    {"seed", "training.seed"},
    {"torch_compile", "training.compile"},
    {"torch_empty_cache_steps", "training.empty_device_cache_steps"},
    {"warmup_ratio", "training.warmup_ratio"},
    {"warmup_steps", "training.warmup_steps"},
    {"weight_decay", "training.weight_decay"}};

// Arguments that would change what is computed, and what to do instead.
constexpr Alias kRefusedArguments[] = {
    {"assistant_only_loss", "the loss is on the completion: remove it"},
    {"eval_packing", "rows stay apart: remove it"},
    {"fsdp", "one process holds the whole model: remove it"},
    {"fsdp_config", "one process holds the whole model: remove it"},
    {"label_smoothing_factor", "the loss has no label smoothing: remove it"},
    {"load_best_model_at_end", "the last weights are saved: remove it"},
    {"neftune_noise_alpha", "embeddings get no noise: remove it"},
    {"optim_args", "the optimizer's options have keys of their own under training"},
    {"optim_target_modules", "every weight has the same optimizer: remove it"},
    {"packing", "rows stay apart: remove it"},
    {"teacher_model_revision", "write training.gold.teacher_model_init_kwargs.revision"},
    {"truncation_mode", "a long row keeps its end: remove it"}};

constexpr const char* kIgnoredArguments[] = {"activation_checkpointing",
                                             "activation_checkpointing_kwargs",
                                             "activation_offloading",
                                             "auto_find_batch_size",
                                             "average_tokens_across_devices",
                                             "batch_eval_metrics",
                                             "bf16_full_eval",
                                             "callbacks",
                                             "chat_template_path",
                                             "completion_only_loss",
                                             "dataloader_drop_last",
                                             "dataloader_in_order",
                                             "dataloader_multiprocessing_context",
                                             "dataset_kwargs",
                                             "dataset_num_proc",
                                             "dataset_text_field",
                                             "ddp_backend",
                                             "ddp_bucket_cap_mb",
                                             "ddp_static_graph",
                                             "ddp_timeout",
                                             "debug",
                                             "disable_tqdm",
                                             "do_eval",
                                             "do_predict",
                                             "do_train",
                                             "enable_jit_checkpoint",
                                             "eos_token",
                                             "eval_accumulation_steps",
                                             "eval_delay",
                                             "eval_do_concat_batches",
                                             "eval_on_start",
                                             "eval_use_gather_object",
                                             "fp16_full_eval",
                                             "generation_batch_size",
                                             "greater_is_better",
                                             "hub_always_push",
                                             "hub_model_id",
                                             "hub_private_repo",
                                             "hub_revision",
                                             "hub_strategy",
                                             "hub_token",
                                             "ignore_data_skip",
                                             "include_for_metrics",
                                             "label_names",
                                             "length_column_name",
                                             "liger_kernel_config",
                                             "local_rank",
                                             "log_completions",
                                             "log_completions_steps",
                                             "log_level_replica",
                                             "log_on_each_node",
                                             "logging_nan_inf_filter",
                                             "loss_type",
                                             "metric_for_best_model",
                                             "model_init_kwargs",
                                             "num_completions_to_print",
                                             "packing_strategy",
                                             "pad_to_multiple_of",
                                             "pad_token",
                                             "padding_free",
                                             "parallelism_config",
                                             "prediction_loss_only",
                                             "project",
                                             "remove_unused_columns",
                                             "restore_callback_states_from_checkpoint",
                                             "resume_from_checkpoint",
                                             "router_aux_loss_coef",
                                             "save_on_each_node",
                                             "save_only_model",
                                             "save_total_limit",
                                             "shuffle_dataset",
                                             "skip_memory_metrics",
                                             "tf32",
                                             "torch_compile_backend",
                                             "torch_compile_mode",
                                             "trackio_bucket_id",
                                             "trackio_space_id",
                                             "trackio_static_space_id",
                                             "train_sampling_strategy",
                                             "trust_remote_code",
                                             "use_cache",
                                             "use_cpu",
                                             "use_liger_kernel",
                                             "vllm_group_port",
                                             "vllm_max_model_length",
                                             "vllm_model_impl",
                                             "vllm_server_base_url",
                                             "wandb_log_unique_prompts"};

// Why some of them have no effect; the others have no counterpart.
const std::map<std::string, std::string>& reasons() {
  static const std::map<std::string, std::string> notes = {
      {"generation_batch_size", "all on-policy prompts of a step are generated in one call"},
      {"log_completions", "completions.jsonl always keeps samples"},
      {"log_completions_steps", "completions.jsonl keeps samples at every logged step"},
      {"logging_nan_inf_filter", "a loss that is not finite is always reported"},
      {"num_completions_to_print", "completions.jsonl keeps the samples"},
      {"save_total_limit", "every checkpoint is kept"},
      {"use_liger_kernel", "the loss and the head are fused already"}};
  return notes;
}

const std::map<std::string, TrainerArgument>& arguments() {
  static const auto table = [] {
    std::map<std::string, TrainerArgument> by_name;
    for (const Alias& alias : kRedirected) by_name[alias.argument] = {};
    for (const Alias& alias : kRefusedArguments) {
      by_name[alias.argument] = {Effect::kRefused, alias.key};
    }
    for (const char* name : kIgnoredArguments) {
      const auto reason = reasons().find(name);
      by_name[name] = {Effect::kIgnored, reason == reasons().end()
                                             ? "nothing here corresponds to it"
                                             : reason->second};
    }
    return by_name;
  }();
  return table;
}

std::string kwarg_path(const std::string& name) { return "training.trainer_kwargs." + name; }

[[noreturn]] void fail(const TrainingConfig& config, const std::string& name,
                       const std::string& what) {
  throw ConfigError(
      fmt::format("{}: {} {}", config.place_of(kwarg_path(name)), kwarg_path(name), what));
}

// The key that Oumi sets an argument from; empty when it leaves it alone.
std::string owner_of(const std::string& name) {
  for (const Alias& alias : kSetByOumi) {
    if (name == alias.argument) return alias.key;
  }
  GoldParams gold;
  for (const Entry& entry : bind(gold).entries) {
    if (entry.name == name) return "training.gold." + name;
  }
  return "";
}

void check_name(const TrainingConfig& config, const std::string& name) {
  if (find_trainer_argument(name) != nullptr) return;
  const std::string owner = owner_of(name);
  if (!owner.empty()) fail(config, name, "collides with what Oumi sets itself: use " + owner);
  std::vector<std::string> names;
  for (const auto& [known, argument] : arguments()) names.push_back(known);
  const std::string near = nearest_word(name, names);
  fail(config, name,
       "is no argument of TRL's GOLDConfig" + (near.empty() ? "" : "; did you mean " + near + "?"));
}

// Reads `value` into the key that the argument stands for.
void redirect(TrainingConfig& config, const Alias& alias, const Json& value) {
  const std::string place = config.place_of(kwarg_path(alias.argument));
  const Json before = value_at(config, alias.key);
  YamlTree tree{.scalar = value, .text = value.dump(), .place = place};
  if (value.is_structured()) tree.kind = YamlTree::Kind::kList;
  TrainingConfig probe = config;
  read_key(tree, alias.key, kwarg_path(alias.argument), probe);
  const bool is_new = value_at(probe, alias.key) != before;
  if (config.is_set(alias.key)) {
    const bool is_length = std::string(alias.argument) == "max_length";
    if (is_new && !is_length) {
      fail(config, alias.argument,
           fmt::format("is {}, but {} is {}: delete one of them", value.dump(), alias.key,
                       before.dump()));
    }
    if (is_new) {
      config.warnings.push_back(fmt::format("{}: {} ({}) beats {} ({})", place, alias.key,
                                            before.dump(), kwarg_path(alias.argument),
                                            value.dump()));
    }
    return;
  }
  probe.set_keys.push_back({alias.key, place});
  config = std::move(probe);
}

}  // namespace

const TrainerArgument* find_trainer_argument(const std::string& name) {
  const auto found = arguments().find(name);
  return found == arguments().end() ? nullptr : &found->second;
}

void apply_trainer_kwargs(TrainingConfig& config) {
  if (config.training.trainer_type != "TRL_GOLD") return;
  const Json arguments_given = config.training.trainer_kwargs.entries;
  for (const auto& [name, value] : arguments_given.items()) check_name(config, name);
  for (const Alias& alias : kRedirected) {
    if (arguments_given.contains(alias.argument) && !arguments_given[alias.argument].is_null()) {
      redirect(config, alias, arguments_given[alias.argument]);
    }
  }
}

}  // namespace aurum::config

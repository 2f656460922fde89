#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/field.h"
#include "config/gold_params.h"
#include "config/other_trainer_params.h"
#include "config/profiler_params.h"
#include "config/values.h"

namespace aurum::config {

// training: the run around the loss.
struct TrainingParams {
  bool use_peft = false;
  std::string trainer_type = "HF";
  bool enable_gradient_checkpointing = false;
  Mapping gradient_checkpointing_kwargs;
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
  std::optional<Texts> reward_functions;
  Mapping reward_function_kwargs;
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
  StepsOrShare eval_steps{500};
  double learning_rate = 5e-5;
  std::string lr_scheduler_type = "linear";
  Mapping lr_scheduler_kwargs;
  std::optional<double> warmup_ratio;
  std::optional<std::int64_t> warmup_steps;
  std::string optimizer = "adamw_torch";
  double weight_decay = 0.0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double sgd_momentum = 0.0;
  std::string mixed_precision_dtype = "NONE";
  bool compile = false;
  bool include_performance_metrics = false;
  bool include_alternative_mfu_metrics = false;
  bool log_model_summary = false;
  std::optional<std::string> resume_from_checkpoint;
  bool try_resume_from_last_checkpoint = false;
  CountOrWord dataloader_num_workers{0};
  bool dataloader_persistent_workers = false;
  std::optional<std::int64_t> dataloader_prefetch_factor;
  std::optional<bool> dataloader_main_process_only;
  std::optional<bool> ddp_find_unused_parameters;
  std::optional<double> max_grad_norm = 1.0;
  Mapping trainer_kwargs;
  Mapping verl_config_overrides;
  ProfilerParams profiler;
  TelemetryParams telemetry;
  std::optional<std::int64_t> empty_device_cache_steps;
  std::optional<double> nccl_default_timeout_minutes;
  std::optional<std::int64_t> label_ignore_index;

  static void fields(auto& self, auto&& visit) {
    run_fields(self, visit);
    seed_fields(self, visit);
    visit("grpo", self.grpo);
    visit("gkd", self.gkd);
    visit("gold", self.gold);
    logging_fields(self, visit);
    optimizer_fields(self, visit);
    machine_fields(self, visit);
  }

 private:
  static void run_fields(auto& self, auto&& visit) {
    visit("use_peft", self.use_peft,
          acts("Trains a LoRA adapter (section peft) instead of all weights. A teacher with the "
               "student's name is then the student without its adapter, in the same memory."));
    visit("trainer_type", self.trainer_type,
          acts("Write TRL_GOLD: the only trainer here. Oumi's default is another one.")
              .one_of({{"TRL_SFT"},
                       {"TRL_DPO"},
                       {"TRL_KTO"},
                       {"TRL_GRPO"},
                       {"TRL_GKD"},
                       {"TRL_GOLD"},
                       {"HF"},
                       {"OUMI"},
                       {"VERL_GRPO"}}));
    visit("enable_gradient_checkpointing", self.enable_gradient_checkpointing,
          acts("Recomputes activations in the backward pass: less memory, more time."));
    visit("gradient_checkpointing_kwargs", self.gradient_checkpointing_kwargs,
          ignored("Options of torch's checkpointing.", "there is one way to do it here"));
    visit("output_dir", self.output_dir, acts("The run folder."));
    visit("per_device_train_batch_size", self.per_device_train_batch_size,
          acts("Rows per micro-batch.").at_least(1).in("rows"));
    visit("per_device_eval_batch_size", self.per_device_eval_batch_size,
          acts("Rows per batch of an evaluation.").at_least(1).in("rows"));
    visit("gradient_accumulation_steps", self.gradient_accumulation_steps,
          acts("Micro-batches per optimizer step.").at_least(1));
    visit("max_steps", self.max_steps,
          acts("Optimizer steps of the run; -1 counts num_train_epochs.").at_least(-1).in("steps"));
    visit("num_train_epochs", self.num_train_epochs,
          acts("Passes over the training rows, unless max_steps is set.").at_least(0).in("epochs"));
    visit("save_epoch", self.save_epoch,
          acts("Writes a checkpoint after each epoch, unless save_steps is above 0."));
    visit("save_steps", self.save_steps,
          acts("Steps between checkpoints; 0 writes none.").at_least(0).in("steps"));
    visit("save_final_model", self.save_final_model,
          acts("Writes the final model into output_dir."));
  }

  static void seed_fields(auto& self, auto&& visit) {
    visit("seed", self.seed, acts("Seed of sampling and of the on-policy draws.").at_least(0));
    visit("data_seed", self.data_seed, acts("Seed of the order of rows.").at_least(0));
    visit("use_deterministic", self.use_deterministic,
          ignored("Allows only deterministic kernels.", "every kernel here is deterministic"));
    visit("full_determinism", self.full_determinism,
          ignored("Makes distributed runs repeatable.", "runs are repeatable by their seeds"));
    visit("run_name", self.run_name,
          ignored("Name of the run in logs and trackers.", "the run folder names the run"));
    visit("metrics_function", self.metrics_function,
          refused("A registered Python function that computes metrics.", "remove it"));
    visit("reward_functions", self.reward_functions,
          refused("Reward functions of GRPO.", "remove them: GOLD has no rewards"));
    visit("reward_function_kwargs", self.reward_function_kwargs,
          refused("Options of the reward functions.", "remove them: GOLD has no rewards"));
  }

  static void logging_fields(auto& self, auto&& visit) {
    visit("log_level", self.log_level,
          ignored("Log level of Oumi.", "--log-level sets it for every command"));
    visit("dep_log_level", self.dep_log_level,
          ignored("Log level of Python libraries.", "there are none here"));
    visit("log_examples", self.log_examples,
          ignored("Prints an example of the data.", "completions.jsonl keeps samples"));
    visit("enable_wandb", self.enable_wandb,
          ignored("Sends metrics to Weights & Biases.", "metrics go to metrics_rank0000.jsonl"));
    visit("enable_mlflow", self.enable_mlflow,
          ignored("Sends metrics to MLflow.", "metrics go to metrics_rank0000.jsonl"));
    visit("enable_tensorboard", self.enable_tensorboard,
          acts("Writes the metrics as TensorBoard events too, to logging_dir or "
               "output_dir/tensorboard."));
    visit("logging_strategy", self.logging_strategy,
          acts("When metrics are logged: every logging_steps, at each epoch's end, or never.")
              .one_of({{"steps"}, {"epoch"}, {"no"}}));
    visit("logging_dir", self.logging_dir,
          acts("Folder of TensorBoard events; unset: output_dir/tensorboard."));
    visit("logging_steps", self.logging_steps,
          acts("Steps between two logged rows of metrics.").at_least(0).in("steps"));
    visit("logging_first_step", self.logging_first_step,
          acts("Logs after the first step as well."));
    visit(
        "eval_strategy", self.eval_strategy,
        acts("When data.validation is evaluated: never, every eval_steps, or at each epoch's end.")
            .one_of({{"no"}, {"steps"}, {"epoch"}}));
    visit("eval_steps", self.eval_steps,
          acts("Steps between evaluations; a fraction in (0, 1) is a share of all steps.")
              .at_least(0)
              .in("steps"));
  }

  static void optimizer_fields(auto& self, auto&& visit) {
    visit("learning_rate", self.learning_rate, acts("Peak learning rate.").at_least(0));
    visit("lr_scheduler_type", self.lr_scheduler_type,
          acts("Learning-rate schedule, by its Hugging Face name.")
              .one_of({{"linear"},
                       {"cosine"},
                       {"cosine_with_restarts"},
                       {"polynomial"},
                       {"constant"},
                       {"constant_with_warmup"},
                       {"inverse_sqrt"},
                       {"reduce_lr_on_plateau"},
                       {"cosine_with_min_lr"},
                       {"cosine_warmup_with_min_lr"},
                       {"warmup_stable_decay"},
                       {"greedy"}}));
    visit("lr_scheduler_kwargs", self.lr_scheduler_kwargs,
          acts("Options of the schedule by their names in transformers, such as num_cycles or "
               "min_lr_rate."));
    visit("warmup_ratio", self.warmup_ratio,
          acts("Share of all steps over which the rate rises from 0.").between(0, 1));
    visit("warmup_steps", self.warmup_steps,
          acts("Steps over which the rate rises from 0; beats warmup_ratio.")
              .at_least(0)
              .in("steps"));
    visit(
        "optimizer", self.optimizer,
        acts("Optimizer, by its Hugging Face name: adamw_torch, adamw_torch_fused, adafactor, sgd, "
             "adagrad, rmsprop or lion_32bit."));
    visit("weight_decay", self.weight_decay,
          acts("Weight decay, none on biases and norm weights. Decoupled, but sgd, adagrad and "
               "rmsprop add it to the gradient.")
              .at_least(0));
    visit("adam_beta1", self.adam_beta1,
          acts("Decay of the first moment (adamw, lion).").between(0, 1));
    visit("adam_beta2", self.adam_beta2,
          acts("Decay of the second moment (adamw), or of the first when it is kept (lion).")
              .between(0, 1));
    visit("adam_epsilon", self.adam_epsilon, acts("Added to Adam's denominator.").at_least(0));
    visit("sgd_momentum", self.sgd_momentum, acts("Momentum of the optimizer sgd.").at_least(0));
    visit("mixed_precision_dtype", self.mixed_precision_dtype,
          acts("Number format of the arithmetic over float32 weights.")
              .one_of({{"NONE"}, {"FP16"}, {"BF16"}}));
  }

  static void machine_fields(auto& self, auto&& visit) {
    constexpr const char* kNoWorkers = "rows are prepared in this process";
    visit("compile", self.compile,
          ignored("Compiles the model with torch.compile.", "the kernels are compiled already"));
    visit("include_performance_metrics", self.include_performance_metrics,
          ignored("Logs performance metrics.", "they are always logged"));
    visit("include_alternative_mfu_metrics", self.include_alternative_mfu_metrics,
          ignored("Logs other estimates of hardware use.", "tokens per second are logged"));
    visit("log_model_summary", self.log_model_summary,
          ignored("Prints the model's layers.", "`aurum inspect` prints them"));
    visit("resume_from_checkpoint", self.resume_from_checkpoint,
          acts("Continues from this checkpoint folder."));
    visit("try_resume_from_last_checkpoint", self.try_resume_from_last_checkpoint,
          acts("Continues from the newest whole checkpoint in output_dir, if there is one."));
    visit("dataloader_num_workers", self.dataloader_num_workers,
          ignored("Processes that load rows, or auto.", kNoWorkers));
    visit("dataloader_persistent_workers", self.dataloader_persistent_workers,
          ignored("Keeps those processes alive.", kNoWorkers));
    visit("dataloader_prefetch_factor", self.dataloader_prefetch_factor,
          ignored("Batches each of them loads ahead.", kNoWorkers));
    visit("dataloader_main_process_only", self.dataloader_main_process_only,
          ignored("Loads rows on the first rank only.", kNoWorkers));
    visit("ddp_find_unused_parameters", self.ddp_find_unused_parameters,
          ignored("Option of torch's data parallelism.", "one process trains the model"));
    visit(
        "max_grad_norm", self.max_grad_norm,
        acts("Gradients are scaled down to this global norm; null or 0 leaves them.").at_least(0));
    visit("trainer_kwargs", self.trainer_kwargs,
          acts("Arguments by TRL's names: num_generations, max_length, uld_token_merge_strategy."));
    visit("verl_config_overrides", self.verl_config_overrides,
          ignored("Overrides of verl's configuration.", "verl is another trainer"));
    visit("profiler", self.profiler);
    visit("telemetry", self.telemetry);
    visit("empty_device_cache_steps", self.empty_device_cache_steps,
          ignored("Steps between two clean-ups of device memory.", "memory is reused directly"));
    visit("nccl_default_timeout_minutes", self.nccl_default_timeout_minutes,
          ignored("Timeout of NCCL.", "one process trains the model").in("minutes"));
    visit("label_ignore_index", self.label_ignore_index,
          ignored("Label of tokens that do not count.", "a mask marks them here"));
  }
};

}  // namespace aurum::config

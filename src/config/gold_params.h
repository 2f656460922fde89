#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/field.h"
#include "config/values.h"

namespace aurum::config {

// training.gold: the distillation itself. The last four keys are ours; the others have Oumi's names
// and defaults.
struct GoldParams {
  std::optional<std::string> teacher_model_name_or_path;
  Mapping teacher_model_init_kwargs{Json{{"torch_dtype", "auto"}}};
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
  std::optional<std::string> compat;

  static void fields(auto& self, auto&& visit) {
    visit("teacher_model_name_or_path", self.teacher_model_name_or_path,
          acts("The teacher: a Hugging Face folder, a .gguf file or a hub id. Required to train."));
    visit("teacher_model_init_kwargs", self.teacher_model_init_kwargs,
          acts("How the teacher is loaded: torch_dtype or dtype (auto, float32, bfloat16; auto "
               "computes in bfloat16 over the stored format), device_map (else model.device_map) "
               "and revision of a hub id. attn_implementation changes nothing."));
    visit("teacher_tokenizer_name_or_path", self.teacher_tokenizer_name_or_path,
          acts("The teacher's tokenizer; null takes the one beside the teacher."));
    visit("temperature", self.temperature,
          acts("Temperature of sampling, and of the softmax in the JSD loss.").above_up_to(0, 1));
    visit("top_p", self.top_p,
          acts("Nucleus sampling: keeps the likeliest tokens of this total probability.")
              .above_up_to(0, 1));
    visit("top_k", self.top_k,
          acts("Sampling keeps this many likeliest tokens; 0 keeps all.").at_least(0));
    visit("lmbda", self.lmbda,
          acts("Probability that a micro-batch is on-policy, trained on the student's own samples.")
              .between(0, 1));
    visit("beta", self.beta,
          acts("Interpolation of the generalized JSD: 0 is forward KL(teacher||student), 1 is "
               "reverse KL.")
              .between(0, 1));
    visit("max_completion_length", self.max_completion_length,
          acts("Most new tokens of a rollout.").at_least(1).in("tokens"));
    visit("disable_dropout", self.disable_dropout,
          acts("Sets every dropout of the student, peft.lora_dropout, to 0."));
    visit("seq_kd", self.seq_kd,
          acts("Sequence-level KD: off-policy rows take answers that the teacher generates, with "
               "cross entropy in place of the token-level loss. They are kept in "
               "output_dir/teacher_completions.jsonl."));
    uld_fields(self, visit);
    engine_fields(self, visit);
    our_fields(self, visit);
  }

 private:
  static void uld_fields(auto& self, auto&& visit) {
    visit("use_uld_loss", self.use_uld_loss,
          acts("false: JSD on a shared vocabulary. true: ULD, for different tokenizers."));
    visit("use_extended_uld", self.use_extended_uld,
          acts("true aligns tokens by the bytes they cover and merges groups; false pairs tokens "
               "by position."));
    visit("uld_use_hybrid_loss", self.uld_use_hybrid_loss,
          acts("Compares tokens that both vocabularies hold with JSD, and only the rest by rank."));
    visit("uld_hybrid_matched_weight", self.uld_hybrid_matched_weight,
          acts("Weight of the hybrid's matched part; null, with the other weight, is adaptive.")
              .at_least(0));
    visit("uld_hybrid_unmatched_weight", self.uld_hybrid_unmatched_weight,
          acts("Weight of the hybrid's unmatched part; null, with the other weight, is adaptive.")
              .at_least(0));
    visit("uld_crossentropy_weight", self.uld_crossentropy_weight,
          acts("Weight of the student's cross entropy on the answers (ULD only)."));
    visit("uld_distillation_weight", self.uld_distillation_weight,
          acts("Weight of the distillation term (ULD only)."));
    visit("uld_student_temperature", self.uld_student_temperature,
          acts("Softmax temperature of the student in the ULD and hybrid losses."));
    visit("uld_teacher_temperature", self.uld_teacher_temperature,
          acts("Softmax temperature of the teacher in the ULD and hybrid losses."));
    visit("uld_skip_student_eos", self.uld_skip_student_eos,
          acts("Leaves the student's closing end-of-turn token out of the ULD loss."));
    visit("uld_skip_teacher_eos", self.uld_skip_teacher_eos,
          acts("Leaves the teacher's closing end-of-turn token out of the ULD loss."));
  }

  static void engine_fields(auto& self, auto&& visit) {
    visit("use_transformers_paged", self.use_transformers_paged,
          acts("Keys and values of a rollout grow block by block, instead of being reserved for "
               "its longest possible length: less memory, the same tokens. Rollouts are batched "
               "continuously either way."));
    visit("use_vllm", self.use_vllm,
          acts("Rollouts come from a rollout engine of our own beside the trainer: see vllm_mode. "
               "false: in the trainer, on the student's own weights."));
    visit("vllm_mode", self.vllm_mode,
          acts("server: an `aurum serve` over HTTP; colocate: an engine in this process with its "
               "own copy of the weights.")
              .one_of({{"server"}, {"colocate"}}));
    visit("vllm_server_host", self.vllm_server_host,
          acts("Host of the rollout server; 0.0.0.0 is this machine."));
    visit("vllm_server_port", self.vllm_server_port,
          acts("Port of the rollout server.").between(1, 65535));
    visit("vllm_server_timeout", self.vllm_server_timeout,
          acts("How long to wait for the rollout server to come up.").above(0).in("seconds"));
    visit("vllm_gpu_memory_utilization", self.vllm_gpu_memory_utilization,
          acts("Share of the free memory that the colocated engine may use for its weights, keys "
               "and values.")
              .above_up_to(0, 1));
    visit("vllm_tensor_parallel_size", self.vllm_tensor_parallel_size,
          acts("Ranks per engine; there is one rank, so it must be 1.").at_least(1));
    visit("vllm_guided_decoding_regex", self.vllm_guided_decoding_regex,
          acts("Finished rollouts match this regular expression as a whole: literals, classes, "
               "groups, | and quantifiers; . is no newline, \\d \\s \\w are ASCII.")
              .also_named("vllm_structured_outputs_regex"));
    visit("vllm_sync_frequency", self.vllm_sync_frequency,
          acts("Steps between two weight updates of the engine.").at_least(1).in("steps"));
    visit("vllm_enable_sleep_mode", self.vllm_enable_sleep_mode,
          acts("The colocated engine gives its memory back between rollouts; needs "
               "vllm_sync_frequency: 1."));
  }

  static void our_fields(auto& self, auto&& visit) {
    visit("uld_token_merge_strategy", self.uld_token_merge_strategy,
          acts("How the distributions of a token group merge: bayesian is the chain rule, observed "
               "reproduces TRL's default.")
              .one_of({{"bayesian"}, {"observed"}}));
    visit("teacher_prompt", self.teacher_prompt,
          acts("What the teacher reads: the conversation in its own chat template, or the "
               "student's rendered prompt as in TRL.")
              .one_of({{"teacher_template"}, {"student_text"}}));
    visit("num_generations", self.num_generations,
          acts("Rows per prompt, each with a rollout of its own. A step has batch size * "
               "accumulation / num_generations prompts.")
              .at_least(1));
    visit("compat", self.compat,
          acts("trl reproduces TRL's numbers: observed merging, student_text prompts and its other "
               "quirks.")
              .one_of({{"none"}, {"trl"}}));
  }
};

}  // namespace aurum::config

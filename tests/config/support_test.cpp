#include "config/support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/teacher_options.h"
#include "tests/config/config_text.h"

namespace aurum::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> paths(const std::vector<KeyNote>& notes) {
  std::vector<std::string> out;
  for (const KeyNote& note : notes) out.push_back(note.path);
  return out;
}

std::string refusal_of(const std::string& text) {
  try {
    check_trainable(parse(text));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Support, SortsKeysIntoThreeClasses) {
  const KeyClasses classes = classify_keys(parse(
      "training:\n  trainer_type: TRL_GOLD\n  compile: true\n  grpo: {epsilon: 0.1}\n"
      "  trainer_kwargs: {max_length: 8, packing: true, disable_tqdm: true}\n"
      "fsdp: {enable_fsdp: true, cpu_offload: true}\ndeepspeed: {enable_deepspeed: false}\n"));
  EXPECT_THAT(paths(classes.refused),
              ElementsAre("training.trainer_kwargs.packing", "fsdp.enable_fsdp"));
  EXPECT_THAT(paths(classes.ignored),
              ElementsAre("training.compile", "training.grpo.epsilon",
                          "training.trainer_kwargs.disable_tqdm", "fsdp.cpu_offload"));
  EXPECT_THAT(paths(classes.acting),
              ElementsAre("model.model_name", "training.trainer_type", "training.trainer_kwargs",
                          "training.trainer_kwargs.max_length", "deepspeed.enable_deepspeed",
                          "model.model_max_length"));
}

TEST(Support, TrainWantsTheTrainerWrittenDown) {
  EXPECT_THAT(refusal_of(""), HasSubstr("write training.trainer_type: TRL_GOLD"));
  EXPECT_THAT(refusal_of("training:\n  trainer_type: TRL_SFT"),
              HasSubstr("run.yaml:3: training.trainer_type cannot be honoured"));
}

TEST(Support, TrainRefusesWhatItCannotHonour) {
  const std::string gold = "training:\n  trainer_type: TRL_GOLD\n";
  EXPECT_THAT(refusal_of(gold + "  optimizer: lomo\n"),
              HasSubstr("run.yaml:4: training.optimizer cannot be honoured: \"lomo\""));
  EXPECT_THAT(refusal_of(gold + "  optimizer: paged_adamw_8bit\n"),
              HasSubstr("belongs to bitsandbytes' CUDA kernels; choose one of adamw_torch"));
  EXPECT_THAT(refusal_of(gold + "  lr_scheduler_type: greedy\n"),
              HasSubstr("choose one of linear, cosine"));
  EXPECT_THAT(refusal_of(gold + "model: 1"), HasSubstr("twice"));
  EXPECT_THAT(refusal_of(gold), HasSubstr("training.gold.teacher_model_name_or_path is missing"));
  EXPECT_EQ(refusal_of(gold + "  gold: {teacher_model_name_or_path: t}"), "no error");
}

TEST(Support, WarnsOfEachKeyWithoutEffectOnce) {
  EXPECT_THAT(warnings(parse("training:\n  compile: true\n  max_steps: 3")),
              ElementsAre("run.yaml:3: training.compile has no effect here: the kernels are "
                          "compiled already"));
}

TEST(Support, SaysWhichKeysOfAnAdapterHaveNoEffect) {
  EXPECT_THAT(warnings(parse("peft:\n  lora_r: 4\n  lora_bias: all")),
              ElementsAre("run.yaml:3: peft.lora_r has no effect here: it only matters with "
                          "training.use_peft: true",
                          "run.yaml:4: peft.lora_bias has no effect here: it only matters with "
                          "training.use_peft: true"));
  const std::string adapter = "training:\n  use_peft: true\n";
  EXPECT_THAT(warnings(parse(adapter + "peft: {lora_r: 4, lora_dropout: 0.1}")),
              ElementsAre("run.yaml:4: peft.lora_dropout has no effect here: "
                          "training.gold.disable_dropout is true"));
  EXPECT_THAT(warnings(parse(adapter + "  gold: {disable_dropout: false}\n"
                                       "peft: {lora_r: 4, lora_dropout: 0.1}")),
              ElementsAre());
  EXPECT_THAT(refusal_of("training:\n  trainer_type: TRL_GOLD\n  use_peft: true\n"
                         "peft: {lora_bias: all}"),
              HasSubstr("run.yaml:5: peft.lora_bias cannot be honoured: set it to none"));
}

TEST(Support, SwitchingOffWhatIsNotThereIsHonoured) {
  EXPECT_THAT(warnings(parse("training: {enable_wandb: false, enable_tensorboard: false, "
                             "log_level: info, compile: false}")),
              ElementsAre());
}

TEST(Support, ReportsOptionsThatTheTeachersLoaderDoesNotKnow) {
  EXPECT_THAT(warnings(parse("training: {gold: {teacher_model_init_kwargs: {revison: x}}}")),
              Contains(HasSubstr("teacher_model_init_kwargs.revison has no effect")));
}

TEST(Support, RefusesWhatTheTeachersLoaderCannotDo) {
  const std::string gold = "training:\n  trainer_type: TRL_GOLD\n  gold: {";
  EXPECT_THAT(refusal_of(gold + "teacher_model_init_kwargs: {dtype: float16}}"),
              HasSubstr("run.yaml:4: training.gold.teacher_model_init_kwargs.dtype cannot be "
                        "honoured: float16 is no number format of a teacher here"));
  EXPECT_THAT(refusal_of(gold + "teacher_model_init_kwargs: {dtype: float32, torch_dtype: "
                                "bfloat16}}"),
              HasSubstr("delete one of them"));
  EXPECT_THAT(refusal_of(gold + "teacher_model_init_kwargs: {attn_implementation: x}}"),
              HasSubstr("choose one of eager, sdpa"));
}

TEST(Support, SaysThatAnyAttentionKernelGivesTheSame) {
  for (const char* name : {"sdpa", "kernels-community/vllm-flash-attn3"}) {
    EXPECT_THAT(warnings(parse("training: {gold: {teacher_model_init_kwargs: "
                               "{attn_implementation: " +
                               std::string(name) + "}}}")),
                ElementsAre(HasSubstr("there is one attention kernel")));
  }
}

TEST(Support, ReadsEitherNameOfTheTeachersNumberFormat) {
  const auto dtype = [](const std::string& entries) {
    return teacher_options(parse("training: {gold: {teacher_model_init_kwargs: {" + entries + "}}}")
                               .training.gold)
        .dtype;
  };
  EXPECT_EQ(dtype(""), "auto");
  EXPECT_EQ(dtype("dtype: torch.float32"), "float32");
  EXPECT_EQ(dtype("torch_dtype: bf16"), "bfloat16");
}

TEST(Support, EngineKeysMatterWithTheirEngineOnly) {
  EXPECT_THAT(warnings(parse("training: {gold: {vllm_server_port: 9}}")),
              ElementsAre(HasSubstr("it only matters with use_vllm: true")));
  EXPECT_THAT(warnings(parse("training: {gold: {use_vllm: true, vllm_server_port: 9}}")),
              ElementsAre());
  EXPECT_THAT(warnings(parse("training: {gold: {use_vllm: true, vllm_mode: colocate, "
                             "vllm_server_port: 9}}")),
              ElementsAre(HasSubstr("it only matters with vllm_mode: server")));
  EXPECT_THAT(warnings(parse("training: {gold: {use_vllm: true, use_transformers_paged: true, "
                             "vllm_enable_sleep_mode: true}}")),
              ElementsAre(HasSubstr("use_transformers_paged has no effect"),
                          HasSubstr("it only matters with vllm_mode: colocate")));
  const std::string colocate =
      "training: {trainer_type: TRL_GOLD, gold: {use_vllm: true, vllm_mode: colocate, ";
  EXPECT_THAT(refusal_of(colocate + "vllm_tensor_parallel_size: 2}}"), HasSubstr("set it to 1"));
  EXPECT_THAT(refusal_of(colocate + "vllm_enable_sleep_mode: true, vllm_sync_frequency: 2}}"),
              HasSubstr("set vllm_sync_frequency: 1"));
  EXPECT_THAT(refusal_of("training: {trainer_type: TRL_GOLD, use_peft: true, gold: {use_vllm: "
                         "true}}"),
              HasSubstr("set training.gold.vllm_mode: colocate"));
}

TEST(Support, WarnsOfWhatOtherSettingsLeaveUnused) {
  EXPECT_THAT(warnings(parse("training: {gold: {seq_kd: true, lmbda: 1}}")),
              ElementsAre(HasSubstr("every micro-batch is on-policy")));
  EXPECT_THAT(warnings(parse("training: {gold: {seq_kd: true, compat: trl}}")),
              ElementsAre(HasSubstr("TRL accepts it and does nothing")));
  EXPECT_THAT(warnings(parse("training: {gold: {num_generations: 2}}")),
              ElementsAre(HasSubstr("copies of each row")));
  EXPECT_THAT(warnings(parse("training: {optimizer: sgd, adam_beta1: 0.5, sgd_momentum: 0.9}")),
              ElementsAre(HasSubstr("adam_beta1 has no effect here: the optimizer sgd has none")));
  EXPECT_THAT(warnings(parse("training: {sgd_momentum: 0.9}")),
              ElementsAre(HasSubstr("the optimizer adamw_torch has none")));
}

}  // namespace
}  // namespace aurum::config

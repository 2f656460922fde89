#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/train_fixture.h"

namespace aurum::cli {
namespace {

using testing::HasSubstr;

TEST_F(TrainCommand, DistilsAStudentFromATeacherWithAnotherTokenizer) {
  const ProgramResult result = run_aurum(command());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::vector<double> losses = evaluations("run");
  ASSERT_EQ(losses.size(), 3u);
  EXPECT_LT(losses.back(), 0.9 * losses.front());
  for (const char* name :
       {"run/config.json", "run/generation_config.json", "run/model.safetensors",
        "run/tokenizer.json", "run/trainer_state.json", "run/README.md", "run/logs/rank_0000.log",
        "run/tensorboard", "run/telemetry/world_size.json", "run/telemetry/devices_info.txt",
        "run/telemetry/model_summary.txt", "run/telemetry/training_config.yaml",
        "run/checkpoint-4/model.safetensors", "run/checkpoint-8/trainer_state.json"}) {
    EXPECT_TRUE(fs::exists(path(name))) << name;
  }
}

TEST_F(TrainCommand, LogsMeansSinceTheLastLog) {
  ASSERT_EQ(run_aurum(command()).exit_code, 0);
  const ProgramResult rarely =
      run_aurum(command({"--training.output_dir", path("rare"), "--training.logging_steps", "4",
                         "--training.eval_strategy", "no"}));
  ASSERT_EQ(rarely.exit_code, 0) << rarely.err;
  double sum = 0.0;
  for (const auto& line : metrics("run")) {
    if (line.contains("loss") && line["step"] > 4) sum += line["loss"].get<double>();
  }
  const auto rare = metrics("rare");
  ASSERT_EQ(rare.size(), 2u);
  EXPECT_EQ(rare[1]["step"], 8);
  EXPECT_NEAR(rare[1]["loss"], sum / 4, 1e-9);
  EXPECT_GT(rare[1]["multi_token_group_share"], 0.0);
}

TEST_F(TrainCommand, ClosesTrainerStateAsHuggingFaceDoes) {
  ASSERT_EQ(run_aurum(command()).exit_code, 0);
  const auto state = nlohmann::json::parse(read_bytes(path("run/trainer_state.json")));
  EXPECT_EQ(state["global_step"], 8);
  const auto& last = state["log_history"].back();
  for (const char* key : {"train_runtime", "train_samples_per_second", "train_steps_per_second",
                          "total_flos", "train_loss", "epoch", "step"}) {
    EXPECT_TRUE(last.contains(key)) << key;
  }
}

TEST_F(TrainCommand, EndsInTheSameWeightsAfterAKillAtAnyStep) {
  ASSERT_EQ(run_aurum(command({"--training.output_dir", path("whole")})).exit_code, 0);
  for (const std::size_t num_lines : {1u, 2u, 5u, 8u}) {
    expect_resumes(command(), "model.safetensors", num_lines);
  }
}

TEST_F(TrainCommand, EndsInTheSameAdapterAfterAKillAtAnyStep) {
  const auto adapter =
      adapter_command({"--training.gold.disable_dropout", "false", "--peft.lora_dropout", "0.2",
                       "--training.enable_gradient_checkpointing", "true"});
  auto whole = adapter;
  whole.insert(whole.end(), {"--training.output_dir", path("whole")});
  ASSERT_EQ(run_aurum(whole).exit_code, 0);
  for (const std::size_t num_lines : {1u, 5u}) {
    expect_resumes(adapter, "adapter_model.safetensors", num_lines);
  }
}

TEST_F(TrainCommand, TrainsAnAdapterOverFrozenWeights) {
  const std::string before = read_bytes(path("student/model.safetensors"));
  const ProgramResult result = run_aurum(adapter_command());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::vector<double> losses = evaluations("run");
  ASSERT_EQ(losses.size(), 3u);
  EXPECT_LT(losses.back(), 0.95 * losses.front());
  EXPECT_EQ(read_bytes(path("student/model.safetensors")), before);
  for (const char* folder : {"run/", "run/checkpoint-4/"}) {
    EXPECT_TRUE(fs::exists(path(folder + std::string("adapter_model.safetensors"))));
    EXPECT_TRUE(fs::exists(path(folder + std::string("tokenizer.json"))));
    EXPECT_FALSE(fs::exists(path(folder + std::string("model.safetensors"))));
  }
  const auto config = nlohmann::json::parse(read_bytes(path("run/adapter_config.json")));
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["base_model_name_or_path"], path("student"));
  EXPECT_EQ(config["target_modules"].size(), 7u);
}

// Merged, added in at the start, or trained on: the first held-out loss is the last of the run.
TEST_F(TrainCommand, GoesOnFromAnAdapterInEveryForm) {
  ASSERT_EQ(run_aurum(adapter_command()).exit_code, 0);
  const double expected = evaluations("run").back();
  ASSERT_EQ(run_aurum({"convert", path("student"), path("merged"), "--adapter", path("run"),
                       "--type", "f32"})
                .exit_code,
            0);
  const std::vector<std::vector<std::string>> commands = {
      command({"--model.model_name", path("merged")}),
      command({"--model.adapter_model", path("run")}),
      command({"--model.adapter_model", path("run"), "--training.use_peft", "true"})};
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const std::string run = "next-" + std::to_string(i);
    auto next = commands[i];
    next.insert(next.end(), {"--training.output_dir", path(run), "--training.max_steps", "1"});
    const ProgramResult result = run_aurum(next);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_NEAR(evaluations(run).front(), expected, 1e-5 * expected) << run;
  }
  EXPECT_TRUE(fs::exists(path("next-2/adapter_config.json")));
}

TEST_F(TrainCommand, TeachesByTheBaseModelBelowTheAdapter) {
  ASSERT_EQ(run_aurum(adapter_command()).exit_code, 0);
  const std::vector<std::string> same = {"--training.gold.teacher_model_name_or_path",
                                         path("student"),
                                         "--training.gold.use_uld_loss",
                                         "false",
                                         "--training.gold.uld_use_hybrid_loss",
                                         "false"};
  auto fresh = adapter_command(same), trained = adapter_command(same);
  fresh.insert(fresh.end(), {"--training.output_dir", path("fresh"), "--training.max_steps", "1"});
  trained.insert(trained.end(),
                 {"--training.output_dir", path("trained"), "--model.adapter_model", path("run")});
  const ProgramResult first = run_aurum(fresh), second = run_aurum(trained);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_NEAR(evaluations("fresh").front(), 0.0, 1e-7);
  EXPECT_GT(evaluations("trained").front(), 1e-3);
  EXPECT_LT(evaluations("trained").back(), 0.9 * evaluations("trained").front());
}

TEST_F(TrainCommand, AnswersWrongInputWithOneLineAndExitCode2) {
  const std::string student = read_bytes(path("student/model.safetensors"));
  fs::create_directories(path("half"));
  for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json"}) {
    fs::copy(path(std::string("student/") + name), path(std::string("half/") + name));
  }
  write("half/model.safetensors", student.substr(0, student.size() / 2));
  write("cut.gguf", std::string("GGUF\3\0\0\0\7\0\0\0", 12));
  write("text.txt", "no model\n");
  write("broken.jsonl", "{\"messages\": [{\"role\": \"user\"\n");
  write("empty.jsonl", "");
  write("typo.yaml", "training:\n  learning_rat: 1\n");
  write("broken.jinja", "{% if %}");
  const std::string rows = "--data.train.datasets[0].dataset_path";
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"train", "-c", path("missing.yaml")}, "missing.yaml"},
      {{"train", "-c", path("typo.yaml")}, "learning_rate"},
      {command({"--training.gold.temperature", ".nan"}), "training.gold.temperature"},
      {command({"--training.max_steps", "many"}), "training.max_steps"},
      {command({"--model.chat_template", path("broken.jinja")}), "broken.jinja: line 1: "},
      {command({"--model.chat_template", std::string(5000, 'x') + "{% if %}"}),
       "model.chat_template: line 1: "},
      {command({"--model.device_map", "balanced"}), "write auto, cpu, cuda or cuda:N"},
      {command({"--model.device_map", "cuda:63"}), "is not there: this libtorch sees"},
      {command({"--training.output_dir", path("text.txt")}), "text.txt"},
      {command({rows, path("broken.jsonl")}), "broken.jsonl"},
      {command({rows, path("empty.jsonl")}), "no rows"},
      {command({rows, path("missing.jsonl")}), "missing.jsonl"},
      {command({"--model.model_name", path("text.txt")}), "text.txt"},
      {command({"--model.model_name", path("half")}), "model.safetensors"},
      {command({"--training.gold.teacher_model_name_or_path", path("cut.gguf")}), "cut.gguf"},
      {command({"--training.gold.use_uld_loss", "false"}), "use_uld_loss: true"},
      {adapter_command({"--peft.lora_target_modules", "[lm_head]"}), "cannot change lm_head"},
      {adapter_command({"--peft.lora_target_modules", "[x]"}), "it has down_proj, gate_proj"},
      {adapter_command({"--model.adapter_model", path("student")}), "adapter_config.json"}};
  for (const auto& [arguments, message] : cases) {
    const ProgramResult result = run_aurum(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_FALSE(fs::exists(path("run/model.safetensors")));
  }
  EXPECT_EQ(read_bytes(path("text.txt")), "no model\n");
}

TEST_F(TrainCommand, RefusesAFolderWithAnotherRunUnlessToldTo) {
  ASSERT_EQ(run_aurum(command({"--training.max_steps", "1"})).exit_code, 0);
  const std::string before = read_bytes(path("run/model.safetensors"));
  const ProgramResult refused = run_aurum(command());
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--overwrite"));
  EXPECT_EQ(read_bytes(path("run/model.safetensors")), before);
  EXPECT_EQ(run_aurum(command({"--overwrite"})).exit_code, 0);
  EXPECT_NE(read_bytes(path("run/model.safetensors")), before);
}

}  // namespace
}  // namespace aurum::cli

// What single parameters do to a whole run.

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/train_fixture.h"
#include "tests/rollout/guided/pcre2_match.h"
#include "weights/checkpoint.h"

namespace aurum::cli {
namespace {

using testing::HasSubstr;

class TrainParameters : public TrainCommand {
 protected:
  // The run must end well.
  void train(const std::string& run, std::vector<std::string> more) const {
    more.insert(more.end(), {"--training.output_dir", path(run)});
    const ProgramResult result = run_aurum(command(more));
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  std::string refusal(const std::vector<std::string>& more) const {
    const ProgramResult result = run_aurum(command(more));
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    return result.err;
  }
  std::vector<double> values(const std::string& run, const char* key) const {
    std::vector<double> found;
    for (const auto& line : metrics(run)) {
      if (line.contains(key)) found.push_back(line[key]);
    }
    return found;
  }
};

TEST_F(TrainParameters, NumGenerationsRepeatsPromptsWithSamplesOfTheirOwn) {
  // 8 rows, 4 per step, 2 of each: an epoch is 4 steps.
  train("run", {"--training.gold.num_generations", "2", "--training.gold.lmbda", "1"});
  EXPECT_DOUBLE_EQ(values("run", "epoch").back(), 2.0);
  // Given answers in two copies weigh like one: half of the rows per step give the same.
  const std::vector<std::string> off_policy = {"--training.gold.lmbda", "0",
                                               "--training.eval_strategy", "no"};
  auto twice = off_policy, once = off_policy;
  twice.insert(twice.end(), {"--training.gold.num_generations", "2"});
  once.insert(once.end(), {"--training.gradient_accumulation_steps", "1"});
  train("twice", twice);
  train("once", once);
  const auto a = values("twice", "loss"), b = values("once", "loss");
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4 * b[i]) << i;
  EXPECT_THAT(refusal({"--training.gold.num_generations", "3"}),
              HasSubstr("does not divide the 4 rows of a step"));
}

TEST_F(TrainParameters, SequenceLevelKdLearnsTheTeachersAnswers) {
  const std::vector<std::string> kd = {
      "--training.gold.seq_kd", "true", "--training.gold.lmbda", "0", "--training.max_steps", "12"};
  train("run", kd);
  const auto losses = values("run", "loss");
  EXPECT_LT(losses.back(), 0.7 * losses.front());
  EXPECT_EQ(values("run", "cross_entropy"), losses);
  const auto off_policy = values("run", "off_policy_loss");
  ASSERT_EQ(off_policy.size(), losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(off_policy[i], losses[i], 1e-9);
  // One answer per row, kept for every epoch.
  std::ifstream cache(path("run/teacher_completions.jsonl"));
  int num_lines = 0;
  for (std::string line; std::getline(cache, line); ++num_lines) {
    const auto answer = nlohmann::json::parse(line);
    EXPECT_LE(answer["completion_ids"].size(), 8u);
  }
  EXPECT_EQ(num_lines, 8);
}

TEST_F(TrainParameters, SequenceLevelKdMixesWithSamplesAndResumes) {
  const std::vector<std::string> kd = {"--training.gold.seq_kd", "true"};
  train("whole", kd);
  EXPECT_FALSE(values("whole", "on_policy_loss").empty());
  EXPECT_FALSE(values("whole", "off_policy_loss").empty());
  expect_resumes(command(kd), "model.safetensors", 5);
}

TEST_F(TrainParameters, SchedulesSetTheRateOfEveryStep) {
  train("run", {"--training.lr_scheduler_type", "polynomial", "--training.lr_scheduler_kwargs",
                "{power: 2, lr_end: 0.002}", "--training.warmup_steps", "2"});
  const auto rates = values("run", "learning_rate");
  ASSERT_EQ(rates.size(), 8u);
  EXPECT_DOUBLE_EQ(rates[0], 0.0);
  EXPECT_DOUBLE_EQ(rates[1], 0.005);
  EXPECT_DOUBLE_EQ(rates[2], 0.01);
  EXPECT_NEAR(rates[5], 0.008 * 0.25 + 0.002, 1e-15);
}

TEST_F(TrainParameters, PlateauFollowsTheEvaluationsThroughAResume) {
  const std::vector<std::string> plateau = {
      "--training.lr_scheduler_type",   "reduce_lr_on_plateau",
      "--training.eval_steps",          "1",
      "--training.lr_scheduler_kwargs", "{patience: 0, factor: 0.5, threshold: 0.5, cooldown: 1}"};
  train("whole", plateau);
  const auto rates = values("whole", "learning_rate");
  EXPECT_DOUBLE_EQ(rates.front(), 0.01);
  EXPECT_LT(rates.back(), 0.005);
  expect_resumes(command(plateau), "model.safetensors", 9);
}

TEST_F(TrainParameters, EveryOptimizerTrainsAndResumes) {
  const std::pair<const char*, const char*> optimizers[] = {{"adafactor", "0.01"},
                                                            {"sgd", "0.5"},
                                                            {"adagrad", "0.05"},
                                                            {"rmsprop", "0.003"},
                                                            {"lion_32bit", "0.003"}};
  for (const auto& [name, rate] : optimizers) {
    SCOPED_TRACE(name);
    const std::vector<std::string> options = {
        "--training.optimizer",    name,  "--training.learning_rate", rate,
        "--training.weight_decay", "0.1", "--training.adam_beta2",    "0.99"};
    fs::remove_all(path("whole"));
    fs::remove_all(path("killed-5"));
    train("whole", options);
    const auto losses = evaluations("whole");
    EXPECT_LT(losses.back(), 0.95 * losses.front());
    expect_resumes(command(options), "model.safetensors", 5);
  }
}

TEST_F(TrainParameters, LogsTheFirstStepToo) {
  train("run", {"--training.logging_first_step", "true", "--training.logging_steps", "4",
                "--training.eval_strategy", "no"});
  EXPECT_EQ(values("run", "step"), (std::vector<double>{1, 4, 8}));
}

TEST_F(TrainParameters, GuidedSamplesMatchTheRegex) {
  const std::string regex = "(the|then) [a-z]{1,3}";
  train("run", {"--training.gold.vllm_guided_decoding_regex", regex, "--training.gold.lmbda", "1",
                "--training.max_steps", "2"});
  std::ifstream samples(path("run/completions.jsonl"));
  int num_finished = 0;
  for (std::string line; std::getline(samples, line);) {
    const auto sample = nlohmann::json::parse(line);
    if (sample["finish_reason"] != "eos") continue;
    ++num_finished;
    EXPECT_TRUE(rollout::pcre2_matches(regex, sample["completion"]));
  }
  EXPECT_GT(num_finished, 0);
  EXPECT_THAT(refusal({"--training.gold.vllm_guided_decoding_regex", "(a"}),
              HasSubstr("vllm_guided_decoding_regex: at 0: this ( is not closed"));
}

TEST_F(TrainParameters, EveryRolloutEngineTrainsToTheSameWeights) {
  testing_support::ProgramBeside server(
      {"serve", "--model", path("student"), "--dtype", "float32", "--port", "0"}, "until Ctrl-C");
  const std::string address = server.err();
  const std::string port = std::to_string(std::stoi(address.substr(address.rfind(':') + 1)));
  const std::string gold = "--training.gold.";
  const std::pair<std::string, std::vector<std::string>> engines[] = {
      {"plain", {}},
      {"paged", {gold + "use_transformers_paged", "true"}},
      {"colocated", {gold + "use_vllm", "true", gold + "vllm_mode", "colocate"}},
      {"sleeping",
       {gold + "use_vllm", "true", gold + "vllm_mode", "colocate", gold + "vllm_enable_sleep_mode",
        "true"}},
      {"server", {gold + "use_vllm", "true", gold + "vllm_server_port", port}}};
  for (const auto& [run, options] : engines) {
    std::vector<std::string> all = options;
    all.insert(all.end(), {gold + "lmbda", "1", "--training.max_steps", "3"});
    train(run, all);
    EXPECT_EQ(read_bytes(path(run + "/model.safetensors")),
              read_bytes(path("plain/model.safetensors")))
        << run;
  }
  EXPECT_EQ(server.stop().exit_code, 130);
}

TEST_F(TrainParameters, AnEngineThatIsRefreshedRarelySamplesFromOlderWeights) {
  const std::vector<std::string> colocate = {
      "--training.gold.use_vllm", "true", "--training.gold.vllm_mode", "colocate",
      "--training.gold.lmbda",    "1",    "--training.max_steps",      "4"};
  auto rarely = colocate;
  rarely.insert(rarely.end(), {"--training.gold.vllm_sync_frequency", "3"});
  train("always", colocate);
  train("rarely", rarely);
  const auto a = values("always", "loss"), b = values("rarely", "loss");
  EXPECT_EQ(a[0], b[0]);
  EXPECT_NE(a[1], b[1]);  // other samples
  EXPECT_THAT(refusal({"--training.gold.use_vllm", "true", "--training.gold.vllm_server_port", "1",
                       "--training.gold.vllm_server_timeout", "0.2"}),
              HasSubstr("did not answer within 0.2 s"));
  EXPECT_THAT(refusal({"--training.gold.use_vllm", "true", "--training.gold.vllm_mode", "colocate",
                       "--training.gold.vllm_gpu_memory_utilization", "1e-9"}),
              HasSubstr("vllm_gpu_memory_utilization leaves it 0.0 MB"));
}

TEST_F(TrainParameters, FrozenLayersStayAsTheyWere) {
  for (const char* checkpointing : {"false", "true"}) {
    const std::string run = std::string("run-") + checkpointing;
    train(run, {"--model.freeze_layers", "[model.embed_tokens, model.layers.0]",
                "--training.enable_gradient_checkpointing", checkpointing});
    const auto before = weights::SafetensorsFile::open(path("student/model.safetensors"));
    const auto after = weights::SafetensorsFile::open(path(run + "/model.safetensors"));
    for (const weights::TensorView& tensor : after->tensors()) {
      const bool is_frozen = tensor.name.starts_with("model.embed_tokens.") ||
                             tensor.name.starts_with("model.layers.0.");
      const weights::TensorView* old = before->find(tensor.name);
      ASSERT_NE(old, nullptr) << tensor.name;
      EXPECT_EQ(std::ranges::equal(tensor.bytes, old->bytes), is_frozen) << tensor.name;
    }
    EXPECT_LT(evaluations(run).back(), evaluations(run).front());
  }
  EXPECT_THAT(refusal({"--model.freeze_layers", "[visual]"}), HasSubstr("has no layer visual"));
  EXPECT_THAT(refusal({"--model.freeze_layers", "[model]"}), HasSubstr("no weight to train"));
}

TEST_F(TrainParameters, RevisionsComeFromTheHubsCache) {
  for (const char* model : {"student", "teacher"}) {
    const fs::path repository = path("hub/models--org--") + model;
    fs::create_directories(repository / "refs");
    fs::create_directories(repository / "snapshots");
    std::ofstream(repository / "refs/v2") << "c0ffee";
    fs::copy(path(model), repository / "snapshots/c0ffee");
  }
  setenv("HF_HUB_CACHE", path("hub").c_str(), 1);
  setenv("HF_HUB_OFFLINE", "1", 1);
  const std::string teacher = "--training.gold.teacher_model_";
  std::vector<std::string> hub = {"--model.model_name",     "org/student",
                                  "--model.model_revision", "v2",
                                  teacher + "name_or_path", "org/teacher"};
  EXPECT_THAT(refusal(hub), HasSubstr("(revision main)"));
  hub.insert(hub.end(), {teacher + "init_kwargs", "{revision: v2}"});
  train("hub-run", hub);
  train("local-run", {});
  EXPECT_EQ(read_bytes(path("hub-run/model.safetensors")),
            read_bytes(path("local-run/model.safetensors")));
  unsetenv("HF_HUB_CACHE");
  unsetenv("HF_HUB_OFFLINE");
}

TEST_F(TrainParameters, TheTeacherLoadsAsAsked) {
  const std::string key = "--training.gold.teacher_model_init_kwargs";
  train("bf16", {});
  train("f32", {key, "{dtype: float32, device_map: cpu, revision: null}"});
  EXPECT_NE(evaluations("bf16").front(), evaluations("f32").front());
  EXPECT_NEAR(evaluations("bf16").front(), evaluations("f32").front(), 0.02);
  EXPECT_THAT(refusal({key, "{torch_dtype: float16}"}), HasSubstr("auto, float32, bfloat16"));
  EXPECT_THAT(refusal({key, "{device_map: 3}"}), HasSubstr("it must be text, found 3"));
  EXPECT_THAT(refusal({key, "{device_map: disk}"}), HasSubstr("write auto, cpu, cuda or cuda:N"));
  EXPECT_THAT(refusal({key, "{attn_implementation: fast}"}), HasSubstr("eager, sdpa"));
  EXPECT_THAT(refusal({key, "{revision: v1}"}), HasSubstr("which has no revision v1"));
  EXPECT_THAT(refusal({"--model.model_revision", "v1"}), HasSubstr("which has no revision v1"));
}

}  // namespace
}  // namespace aurum::cli

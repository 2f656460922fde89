// aurum train: wires a configuration, files, models and the trainer together.

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "cli/loss_options.h"
#include "cli/model_files.h"
#include "cli/run_log.h"
#include "cli/schedule_config.h"
#include "cli/training_checks.h"
#include "cli/training_data.h"
#include "cli/training_models.h"
#include "cli/training_rollouts.h"
#include "config/reference.h"
#include "config/support.h"
#include "config/teacher_options.h"
#include "data/example.h"
#include "loss/distillation_loss.h"
#include "model/causal_lm.h"
#include "telemetry/run_files.h"
#include "telemetry/step_metrics.h"
#include "train/matched_vocabulary.h"
#include "train/run_folder.h"
#include "train/run_records.h"
#include "train/trainer.h"

namespace aurum::cli {

namespace fs = std::filesystem;

namespace {

std::atomic<bool> interrupted{false};

void on_signal(int) { interrupted = true; }

train::TextSide text_side(const std::string& name, const std::string& revision,
                          const std::optional<std::string>& override) {
  train::TextSide side{.tokenizer = open_tokenizer(name, revision)};
  const auto& templates = side.tokenizer->chat_templates();
  const auto own = templates.find("default");
  if (override) {
    std::error_code error;  // a template is no path that the system can look for
    const bool is_file = fs::exists(*override, error);
    side.chat_template = std::make_shared<const text::ChatTemplate>(text::ChatTemplate::parse(
        is_file ? read_file(*override) : *override, is_file ? *override : "model.chat_template"));
  } else if (own != templates.end()) {
    side.chat_template = std::make_shared<const text::ChatTemplate>(
        text::ChatTemplate::parse(own->second.text, own->second.origin));
  }
  return side;
}

void check_tokenizers(const config::GoldParams& gold, const text::Tokenizer& student,
                      const text::Tokenizer& teacher) {
  const bool same = student.fingerprint() == teacher.fingerprint();
  if (!gold.use_uld_loss && !same) {
    throw ConfigError(
        "training.gold.use_uld_loss is false, but the student's and the teacher's tokenizers "
        "differ; set training.gold.use_uld_loss: true");
  }
  if (gold.use_uld_loss && same) {
    log_warning(
        "student and teacher share a tokenizer: training.gold.use_uld_loss: false is exact");
  }
}

train::TrainerConfig trainer_config(const config::TrainingConfig& config, std::int64_t num_rows) {
  const config::TrainingParams& t = config.training;
  train::TrainerConfig trainer{.batch_size = t.per_device_train_batch_size,
                               .eval_batch_size = t.per_device_eval_batch_size,
                               .accumulation_steps = t.gradient_accumulation_steps,
                               .num_generations = t.gold.num_generations,
                               .lmbda = t.gold.lmbda,
                               .seed = static_cast<std::uint64_t>(t.seed),
                               .data_seed = static_cast<std::uint64_t>(t.data_seed),
                               .max_grad_norm = t.max_grad_norm.value_or(0.0),
                               .logging_steps = std::max<std::int64_t>(1, t.logging_steps),
                               .save_steps = t.save_steps};
  const std::int64_t per_epoch = trainer.steps_per_epoch(num_rows);
  trainer.max_steps = t.max_steps > 0 ? t.max_steps : per_epoch * t.num_train_epochs;
  trainer.logs_first_step = t.logging_first_step;
  if (t.logging_strategy == "epoch") trainer.logging_steps = per_epoch;
  if (t.logging_strategy == "no") trainer.logging_steps = trainer.max_steps + 1;
  if (t.save_epoch && t.save_steps == 0) trainer.save_steps = per_epoch;
  if (t.eval_strategy == "epoch") trainer.eval_steps = per_epoch;
  if (t.eval_strategy == "steps") trainer.eval_steps = t.eval_steps.steps(trainer.max_steps);
  trainer.sampling = {.temperature = t.gold.temperature,
                      .top_p = t.gold.top_p,
                      .top_k = t.gold.top_k,
                      .max_new_tokens = t.gold.max_completion_length,
                      .regex = t.gold.vllm_guided_decoding_regex.value_or("")};
  trainer.loss = loss_config(t.gold);
  trainer.seq_kd = uses_sequence_level_kd(t.gold);
  trainer.schedule = lr_schedule(t, trainer.max_steps);
  trainer.plateau = plateau_config(t);
  trainer.frozen_layers = config.model.freeze_layers;
  trainer.optimizer = {.type = t.optimizer,
                       .beta1 = t.adam_beta1,
                       .beta2 = t.adam_beta2,
                       .epsilon = t.adam_epsilon,
                       .momentum = t.sgd_momentum,
                       .weight_decay = t.weight_decay};
  return trainer;
}

struct TrainArguments {
  ConfigOptions config;
  bool overwrite = false;
};

train::RowBuilder make_row_builder(const config::TrainingConfig& config) {
  const config::GoldParams& gold = config.training.gold;
  const config::ModelParams& model = config.model;
  const std::string teacher = *gold.teacher_model_name_or_path;
  // A tokenizer with a name of its own is of no model's revision.
  const std::string student_revision =
      model.tokenizer_name ? kMain : model.model_revision.value_or(kMain);
  const std::string teacher_revision = gold.teacher_tokenizer_name_or_path
                                           ? kMain
                                           : config::teacher_options(gold).revision.value_or(kMain);
  const bool student_prompt = gold.compat == "trl" || gold.teacher_prompt == "student_text";
  train::RowBuilder rows(text_side(model.tokenizer_name.value_or(model.model_name),
                                   student_revision, model.chat_template),
                         text_side(gold.teacher_tokenizer_name_or_path.value_or(teacher),
                                   teacher_revision, std::nullopt),
                         {.model_max_length = model.model_max_length.value_or(0),
                          .max_completion_length = gold.max_completion_length},
                         student_prompt);
  check_tokenizers(gold, *rows.student().tokenizer, *rows.teacher().tokenizer);
  return rows;
}

// Drops rows of which nothing is left, and finds a row that cannot be rendered, before anything
// expensive happens.
void drop_empty_rows(std::vector<data::Example>& examples, const train::RowBuilder& rows) {
  const std::size_t dropped = std::erase_if(
      examples, [&](const data::Example& example) { return !rows.from_answer(example); });
  if (examples.empty()) {
    throw InputError(fmt::format(
        "data.train: none of the {} rows has a prompt and an answer after truncation to "
        "model.model_max_length",
        dropped));
  }
  if (dropped > 0) {
    log_warning("data.train: left out {} rows without a prompt or an answer", dropped);
  }
}

// Free text has no prompt to roll out from unless the tokenizer adds a token of its own.
void check_rollout_prompts(const std::vector<data::Example>& examples,
                           const train::RowBuilder& rows, const config::GoldParams& gold) {
  if (gold.lmbda == 0.0 && !uses_sequence_level_kd(gold)) return;
  for (const data::Example& example : examples) {
    if (!example.is_free_text || !rows.rollout_prompt(example).empty()) continue;
    throw ConfigError(example.source +
                      ": {\"text\"} rows have no prompt to answer; set training.gold.lmbda: 0 and "
                      "seq_kd: false, or give rows with a prompt");
  }
}

std::optional<fs::path> checkpoint_to_resume(const config::TrainingParams& training,
                                             const train::RunFolder& folder) {
  if (training.resume_from_checkpoint) return *training.resume_from_checkpoint;
  if (training.try_resume_from_last_checkpoint) return folder.last_checkpoint();
  return std::nullopt;
}

// Empty when no events are wanted.
fs::path tensorboard_folder(const config::TrainingParams& training) {
  if (!training.enable_tensorboard) return {};
  return training.logging_dir ? fs::path(*training.logging_dir)
                              : fs::path(training.output_dir) / "tensorboard";
}

train::RunFacts run_facts(const train::TrainerConfig& settings, std::int64_t steps_per_epoch) {
  return {.max_steps = settings.max_steps,
          .logging_steps = settings.logging_steps,
          .save_steps = settings.save_steps,
          .eval_steps = settings.eval_steps,
          .train_batch_size = settings.batch_size,
          .rows_per_step = settings.rows_per_step(),
          .steps_per_epoch = steps_per_epoch};
}

void run_training(const TrainArguments& arguments) {
  const config::TrainingConfig config = load_config(arguments.config);
  config::check_complete(config);
  config::check_trainable(config);
  check_guided_decoding(config);
  for (const std::string& warning : config::warnings(config)) log_warning("{}", warning);
  const config::TrainingParams& training = config.training;
  TrainingExamples examples = read_training_examples(config);
  const train::RowBuilder rows = make_row_builder(config);
  drop_empty_rows(examples.train, rows);
  check_rollout_prompts(examples.train, rows, training.gold);

  const TrainingModelFiles files = open_training_models(config);
  const bool resume =
      training.try_resume_from_last_checkpoint || training.resume_from_checkpoint.has_value();
  const train::RunFolder folder(training.output_dir, resume, arguments.overwrite);

  const TrainingModels models = load_training_models(files, config);
  model::CausalLm& student = *models.student;
  const text::Tokenizer& tokenizer = *rows.student().tokenizer;
  const std::unique_ptr<rollout::RolloutSource> rollouts =
      make_student_rollouts(student, config, rows.student().tokenizer);
  const std::unique_ptr<rollout::RolloutSource> teacher_rollouts =
      make_teacher_rollouts(files, config, *rows.teacher().tokenizer);
  const loss::VocabularyPair vocabulary =
      train::match_vocabularies(tokenizer, *rows.teacher().tokenizer, rows.student().end_of_turn(),
                                rows.teacher().end_of_turn());
  const train::TrainerConfig settings =
      trainer_config(config, static_cast<std::int64_t>(examples.train.size()));

  std::optional<RunLog> log;
  std::function<void(const train::Progress&)> save_checkpoint;
  train::Trainer trainer(
      settings,
      {.student = student,
       .teacher = *models.teacher,
       .rollouts = *rollouts,
       .teacher_rollouts = teacher_rollouts.get(),
       .rows = rows,
       .vocabulary = vocabulary,
       .train_examples = examples.train,
       .eval_examples = examples.evaluation},
      {.on_metrics = [&](const telemetry::StepMetrics& metrics) { log->add(metrics); },
       .on_completion = [&](const telemetry::CompletionSample& sample) { log->add(sample); },
       .on_checkpoint = [&](const train::Progress& progress) { save_checkpoint(progress); },
       .should_stop = [] { return interrupted.load(); }});
  const train::RunFacts facts = run_facts(settings, trainer.steps_per_epoch());
  save_checkpoint = [&](const train::Progress& progress) {
    folder.save_checkpoint(progress, facts, student, tokenizer, trainer.optimizer());
  };

  train::Progress progress;
  const std::optional<fs::path> checkpoint = checkpoint_to_resume(training, folder);
  if (checkpoint) {
    progress = train::load_checkpoint(*checkpoint, trainer.optimizer());
    rollouts->resume(progress.num_steps);
    log_info("resuming after step {} from {}", progress.num_steps, checkpoint->string());
  }
  train::write_run_records(folder.path(), config::to_yaml(config), student);
  log.emplace(folder.path(), tensorboard_folder(training), checkpoint ? progress.num_steps : -1,
              settings.max_steps);

  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  const auto start = std::chrono::steady_clock::now();
  trainer.run(progress);
  log->finish();
  if (training.save_final_model) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    const train::RunNames names{.student = config.model.model_name,
                                .teacher = *training.gold.teacher_model_name_or_path};
    folder.save_final_model(
        trainer.progress(), facts,
        {.model_card = train::model_card(names, settings, folder.path() / telemetry::kMetricsFile),
         .train_seconds = elapsed.count(),
         .num_steps = trainer.progress().num_steps - progress.num_steps},
        student, tokenizer, trainer.optimizer());
  }
  log_info("done: {}", folder.path().string());
}

}  // namespace

void add_train_command(CLI::App& app) {
  auto arguments = std::make_shared<TrainArguments>();
  CLI::App* command = app.add_subcommand("train", "Distil a student from a teacher");
  command->footer("Example: aurum train -c configs/demo.yaml --training.gold.beta 0.3\n\n" +
                  config::acting_keys_help());
  add_config_options(*command, arguments->config);
  command->add_flag("--overwrite", arguments->overwrite, "Replace an earlier run in the folder");
  command->callback([arguments] { run_training(*arguments); });
}

}  // namespace aurum::cli

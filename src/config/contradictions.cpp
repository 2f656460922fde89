#include "config/contradictions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "config/schedule_options.h"

namespace aurum::config {

namespace {

class Checker {
 public:
  explicit Checker(const TrainingConfig& config) : config_(config) {}

  void check(bool holds, const std::string& key, const std::string& what) const {
    if (!holds) throw ConfigError(fmt::format("{}: {}", config_.place_of(key), what));
  }

  void check_gold() const {
    const GoldParams& gold = config_.training.gold;
    const std::string prefix = "training.gold.";
    const bool has_matched = gold.uld_hybrid_matched_weight.has_value();
    check(has_matched == gold.uld_hybrid_unmatched_weight.has_value(),
          prefix + (has_matched ? "uld_hybrid_matched_weight" : "uld_hybrid_unmatched_weight"),
          "training.gold.uld_hybrid_matched_weight and uld_hybrid_unmatched_weight go together: "
          "set both, or neither for adaptive weights");
    const auto& teacher = gold.teacher_model_name_or_path;
    check(!teacher || teacher->find_first_not_of(" \t\n") != std::string::npos,
          prefix + "teacher_model_name_or_path",
          "training.gold.teacher_model_name_or_path is empty: name the teacher");
    check_generations();
    if (!gold.use_uld_loss) return;
    check_uld("uld_crossentropy_weight", gold.uld_crossentropy_weight, false);
    check_uld("uld_distillation_weight", gold.uld_distillation_weight, false);
    check_uld("uld_student_temperature", gold.uld_student_temperature, true);
    check_uld("uld_teacher_temperature", gold.uld_teacher_temperature, true);
  }

  void check_generations() const {
    const std::int64_t rows =
        config_.training.per_device_train_batch_size * config_.training.gradient_accumulation_steps;
    const std::int64_t copies = config_.training.gold.num_generations;
    check(rows % copies == 0, "training.gold.num_generations",
          fmt::format("training.gold.num_generations: {} does not divide the {} rows of a step "
                      "(training.per_device_train_batch_size * gradient_accumulation_steps)",
                      copies, rows));
  }

  void check_precision() const {
    const std::string& dtype = config_.training.mixed_precision_dtype;
    check(dtype == "NONE" || config_.model.torch_dtype_str == "float32",
          "training.mixed_precision_dtype",
          fmt::format("training.mixed_precision_dtype: {} needs the model in float32, found "
                      "model.torch_dtype_str: {}; set model.torch_dtype_str: float32",
                      dtype, config_.model.torch_dtype_str));
  }

  void check_sharding() const {
    const DeepspeedParams& deepspeed = config_.deepspeed;
    check(!config_.fsdp.enable_fsdp || !deepspeed.enable_deepspeed, "deepspeed.enable_deepspeed",
          "fsdp.enable_fsdp and deepspeed.enable_deepspeed exclude each other: switch one off");
    check(!deepspeed.enable_deepspeed || deepspeed.train_batch_size.value == "auto" ||
              config_.training.trainer_type.rfind("TRL_", 0) != 0,
          "deepspeed.train_batch_size",
          "deepspeed.train_batch_size must be auto with a TRL trainer: remove it");
    check(!deepspeed.offload_param || deepspeed.zero_stage == "ZERO_3", "deepspeed.zero_stage",
          "deepspeed.offload_param needs deepspeed.zero_stage: ZERO_3");
    check(!deepspeed.offload_optimizer || deepspeed.zero_stage != "ZERO_0", "deepspeed.zero_stage",
          "deepspeed.offload_optimizer needs deepspeed.zero_stage: ZERO_1, ZERO_2 or ZERO_3");
    check(!config_.training.compile || config_.fsdp.use_orig_params.value_or(true),
          "fsdp.use_orig_params", "fsdp.use_orig_params must be true with training.compile: true");
  }

  void check_training() const {
    const TrainingParams& training = config_.training;
    check(training.max_steps > 0 || training.num_train_epochs > 0, "training.num_train_epochs",
          "one of training.max_steps and training.num_train_epochs must be above 0");
    check(!config_.model.compile, "model.compile",
          "model.compile has no place in training: set training.compile instead");
    const bool is_grpo = training.trainer_type.ends_with("_GRPO");
    check(is_grpo || training.reward_functions.value_or(Texts{}).empty(),
          "training.reward_functions",
          fmt::format("training.reward_functions belong to TRL_GRPO and VERL_GRPO, but "
                      "training.trainer_type is {}: remove them",
                      training.trainer_type));
    check(is_grpo || training.reward_function_kwargs.entries.empty(),
          "training.reward_function_kwargs",
          fmt::format("training.reward_function_kwargs belong to TRL_GRPO and VERL_GRPO, but "
                      "training.trainer_type is {}: remove them",
                      training.trainer_type));
    check_count_or_auto("training.dataloader_num_workers", training.dataloader_num_workers, 0);
  }

  void check_split(const std::string& name, const DatasetSplitParams& split) const {
    const std::string prefix = "data." + name;
    double sum = 0;
    std::size_t num_proportions = 0;
    for (std::size_t i = 0; i < split.datasets.size(); ++i) {
      const DatasetParams& dataset = split.datasets[i];
      const std::string path = fmt::format("{}.datasets[{}]", prefix, i);
      if (dataset.mixture_proportion) ++num_proportions;
      sum += dataset.mixture_proportion.value_or(0);
      if (dataset.transform_num_workers) {
        check_count_or_auto(path + ".transform_num_workers", *dataset.transform_num_workers, 1);
      }
      check_dataset_kwargs(path, dataset);
    }
    check(num_proportions == 0 || num_proportions == split.datasets.size(), prefix,
          fmt::format("{}.datasets[].mixture_proportion is set for {} of {} data sets: set it for "
                      "all of them or for none",
                      prefix, num_proportions, split.datasets.size()));
    check(num_proportions == 0 || std::abs(sum - 1) < 1e-9,
          prefix + ".datasets[0].mixture_proportion",
          fmt::format("{}.datasets[].mixture_proportion must sum to 1, found {}", prefix, sum));
    check(!split.train_target || split.collator_name == "text_completions_only_with_padding",
          prefix + ".train_target",
          fmt::format("{}.train_target needs collator_name: text_completions_only_with_padding",
                      prefix));
  }

  void check_collators() const {
    const DataParams& data = config_.data;
    for (const DatasetSplitParams* split : {&data.validation, &data.test}) {
      check(!split->collator_name || split->collator_name->empty() ||
                split->collator_name == data.train.collator_name,
            split == &data.test ? "data.test.collator_name" : "data.validation.collator_name",
            "data.*.collator_name must be the same in every split, and set for data.train");
    }
  }

 private:
  void check_uld(const std::string& name, double value, bool is_open) const {
    check(is_open ? value > 0 : value >= 0, "training.gold." + name,
          fmt::format("training.gold.{} must be a number {} 0, found {}", name,
                      is_open ? ">" : ">=", value));
  }

  void check_count_or_auto(const std::string& key, const CountOrWord& count,
                           std::int64_t least) const {
    const bool fits = count.value.is_string() ? count.value == "auto" : count.value >= least;
    check(fits, key,
          fmt::format("{} must be a whole number >= {} or auto, found {}", key, least,
                      count.value.dump()));
  }

  void check_dataset_kwargs(const std::string& path, const DatasetParams& dataset) const {
    static constexpr std::array<std::string_view, 12> kReserved = {
        "dataset_name",      "dataset_path",         "subset",  "split", "dataset_kwargs",
        "sample_count",      "mixture_proportion",   "shuffle", "seed",  "shuffle_buffer_size",
        "trust_remote_code", "transform_num_workers"};
    for (const auto& [key, value] : dataset.dataset_kwargs.entries.items()) {
      check(std::find(kReserved.begin(), kReserved.end(), key) == kReserved.end(),
            path + ".dataset_kwargs",
            fmt::format("{}.dataset_kwargs.{} has a key of its own: set {}.{}", path, key, path,
                        key));
    }
  }

  const TrainingConfig& config_;
};

}  // namespace

void check_contradictions(const TrainingConfig& config) {
  const Checker checker(config);
  checker.check_gold();
  checker.check_precision();
  checker.check_sharding();
  checker.check_training();
  checker.check_split("train", config.data.train);
  checker.check_split("validation", config.data.validation);
  checker.check_split("test", config.data.test);
  checker.check_collators();
  check_schedule_options(config);
}

}  // namespace aurum::config

#include "cli/training_models.h"

#include "base/error.h"
#include "cli/model_files.h"
#include "config/teacher_options.h"
#include "model/adapter_builder.h"
#include "model/device.h"
#include "weights/lora_adapter.h"

namespace aurum::cli {
namespace {

model::ComputeDType student_dtype(const config::TrainingConfig& config) {
  const bool full_precision =
      config.model.torch_dtype_str == "float32" && config.training.mixed_precision_dtype == "NONE";
  return full_precision ? model::ComputeDType::kFloat32 : model::ComputeDType::kBFloat16;
}

std::string device_of(const std::string& key, const std::string& device_map) {
  try {
    return model::compute_device(device_map);
  } catch (const InputError& error) {
    throw ConfigError(key + ": " + error.what());
  }
}

weights::LoraConfig fresh_adapter(const config::PeftParams& peft,
                                  const weights::ModelConfig& student) {
  weights::LoraConfig adapter;
  adapter.rank = peft.lora_r;
  adapter.alpha = static_cast<double>(peft.lora_alpha);
  adapter.dropout = peft.lora_dropout;
  adapter.target_modules =
      peft.lora_target_modules.value_or(model::default_adapter_targets(student));
  adapter.exclude_modules = peft.lora_exclude_modules.value_or(config::Texts{});
  return adapter;
}

model::AdapterOptions adapter_options(const TrainingModelFiles& files,
                                      const config::TrainingConfig& config) {
  model::AdapterOptions options{.config = files.adapter
                                              ? files.adapter->config()
                                              : fresh_adapter(config.peft, files.student->config()),
                                .seed = static_cast<std::uint64_t>(config.training.seed),
                                .uses_dropout = !config.training.gold.disable_dropout,
                                .start = files.adapter};
  options.config.base_model = config.model.model_name;
  return options;
}

// The teacher is the student's base model, in the same memory.
bool shares_weights(const config::TrainingConfig& config) {
  const config::GoldParams& gold = config.training.gold;
  return config.training.use_peft && gold.teacher_model_name_or_path == config.model.model_name &&
         config.model.model_revision.value_or(kMain) == kMain &&
         config::teacher_options(gold) == config::TeacherOptions();
}

}  // namespace

model::ComputeDType teacher_dtype(const config::GoldParams& gold) {
  const bool is_float32 = config::teacher_options(gold).dtype == "float32";
  return is_float32 ? model::ComputeDType::kFloat32 : model::ComputeDType::kBFloat16;
}

TrainingModelFiles open_training_models(const config::TrainingConfig& config) {
  const std::string& teacher = *config.training.gold.teacher_model_name_or_path;
  const bool use_peft = config.training.use_peft;
  const std::string revision = config.model.model_revision.value_or(kMain);
  TrainingModelFiles files{.student = open_model(config.model.model_name, revision)};
  if (!shares_weights(config)) {
    const config::TeacherOptions options = config::teacher_options(config.training.gold);
    files.teacher = open_model(teacher, options.revision.value_or(kMain));
  }
  if (!config.model.adapter_model) return files;
  const auto adapter = weights::LoraAdapter::open(resolve_model(*config.model.adapter_model));
  if (use_peft) {
    files.adapter = adapter;
  } else {
    files.student = weights::merge_adapter(files.student, adapter);
  }
  return files;
}

TrainingModels load_training_models(const TrainingModelFiles& files,
                                    const config::TrainingConfig& config) {
  const config::GoldParams& gold = config.training.gold;
  const std::string device =
      device_of("model.device_map", config.model.device_map.value_or("auto"));
  const auto teacher_device = config::teacher_options(gold).device_map;
  model::LoadOptions options{.dtype = student_dtype(config), .trainable = true, .device = device};
  if (config.training.use_peft) options.adapter = adapter_options(files, config);
  TrainingModels models;
  models.student = model::load_causal_lm(*files.student, options);
  models.student->set_gradient_checkpointing(config.training.enable_gradient_checkpointing);
  if (!files.teacher) {
    models.teacher = models.student->without_adapter();
    return models;
  }
  model::LoadOptions frozen{.dtype = teacher_dtype(gold), .keep_quantized = true, .device = device};
  if (teacher_device) {
    frozen.device =
        device_of("training.gold.teacher_model_init_kwargs.device_map", *teacher_device);
  }
  models.teacher = model::load_causal_lm(*files.teacher, frozen);
  return models;
}

}  // namespace aurum::cli

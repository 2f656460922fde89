#include "cli/training_models.h"

#include "base/error.h"
#include "cli/model_files.h"
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

std::string device_of(const config::ModelParams& model) {
  try {
    return model::compute_device(model.device_map.value_or("auto"));
  } catch (const InputError& error) {
    throw ConfigError(std::string("model.device_map: ") + error.what());
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

}  // namespace

TrainingModelFiles open_training_models(const config::TrainingConfig& config) {
  const std::string& teacher = *config.training.gold.teacher_model_name_or_path;
  const bool use_peft = config.training.use_peft;
  TrainingModelFiles files{.student = open_model(config.model.model_name)};
  if (!use_peft || teacher != config.model.model_name) files.teacher = open_model(teacher);
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
  const std::string device = device_of(config.model);
  model::LoadOptions options{.dtype = student_dtype(config), .trainable = true, .device = device};
  if (config.training.use_peft) options.adapter = adapter_options(files, config);
  TrainingModels models;
  models.student = model::load_causal_lm(*files.student, options);
  models.student->set_gradient_checkpointing(config.training.enable_gradient_checkpointing);
  models.teacher = files.teacher ? model::load_causal_lm(*files.teacher,
                                                         {.keep_quantized = true, .device = device})
                                 : models.student->without_adapter();
  return models;
}

}  // namespace aurum::cli

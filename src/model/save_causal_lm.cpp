#include <ATen/ATen.h>

#include "base/error.h"
#include "base/files.h"
#include "model/causal_lm.h"

namespace aurum::model {

namespace {

// Borrows the bytes of a dense float32 tensor.
weights::TensorToWrite to_write(const at::Tensor& tensor) {
  return {.name = "",
          .dtype = weights::DType::kFloat32,
          .shape = tensor.sizes().vec(),
          .bytes = {static_cast<const std::byte*>(tensor.const_data_ptr()),
                    static_cast<std::size_t>(tensor.nbytes())}};
}

}  // namespace

void save_causal_lm(CausalLm& model, const std::string& folder, const std::string& dtype,
                    const std::function<at::Tensor(const NamedParameter&)>& weight_of) {
  const bool wide = dtype == "float32";
  std::vector<at::Tensor> kept;
  std::vector<weights::TensorToWrite> tensors;
  for (const NamedParameter& parameter : model.parameters()) {
    kept.push_back(
        weight_of(parameter).detach().to(wide ? at::kFloat : at::kBFloat16).cpu().contiguous());
    const at::Tensor& tensor = kept.back();
    tensors.push_back({.name = parameter.name,
                       .dtype = wide ? weights::DType::kFloat32 : weights::DType::kBFloat16,
                       .shape = tensor.sizes().vec(),
                       .bytes = {static_cast<const std::byte*>(tensor.const_data_ptr()),
                                 static_cast<std::size_t>(tensor.nbytes())}});
  }
  make_folder(folder);
  weights::write_safetensors(folder, std::move(tensors));
  write_file(folder + "/config.json", weights::config_json_with_dtype(model.config(), dtype));
  if (!model.config().generation_config_json.empty()) {
    write_file(folder + "/generation_config.json", model.config().generation_config_json);
  }
}

void save_adapter(CausalLm& model, const std::string& folder,
                  const std::function<at::Tensor(const NamedParameter&)>& weight_of) {
  const weights::LoraConfig* config = model.adapter_config();
  AURUM_CHECK(config != nullptr, "the model has no adapter");
  std::vector<at::Tensor> kept;
  std::vector<weights::LoraTensorsToWrite> layers;
  for (const NamedParameter& parameter : model.parameters()) {
    kept.push_back(weight_of(parameter).detach().to(at::kFloat).cpu().contiguous());
    const std::string suffix = ".lora_A.weight";
    const std::string module = parameter.name.substr(0, parameter.name.size() - suffix.size());
    const bool is_a = parameter.name.ends_with(suffix);
    if (is_a) layers.push_back({.module = module, .a = {}, .b = {}});
    AURUM_CHECK(layers.back().module == module, "B without A: {}", parameter.name);
    (is_a ? layers.back().a : layers.back().b) = to_write(kept.back());
  }
  weights::write_adapter(folder, *config, layers);
}

}  // namespace aurum::model

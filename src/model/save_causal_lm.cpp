#include <ATen/ATen.h>

#include "base/files.h"
#include "model/causal_lm.h"

namespace aurum::model {

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

}  // namespace aurum::model

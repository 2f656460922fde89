#include "cli/model_options.h"

namespace aurum::cli {

std::shared_ptr<const weights::Checkpoint> ModelOptions::load_checkpoint() const {
  return open_model(name, revision);
}

std::shared_ptr<const text::Tokenizer> ModelOptions::load_tokenizer() const {
  return open_tokenizer(tokenizer.empty() ? name : tokenizer, revision);
}

model::ComputeDType ModelOptions::compute_dtype() const {
  return dtype == "float32" ? model::ComputeDType::kFloat32 : model::ComputeDType::kBFloat16;
}

void add_model_options(CLI::App& command, ModelOptions& options) {
  command.add_option("--model,-m", options.name, "Hugging Face folder, .gguf file or hub id")
      ->required();
  command.add_option("--tokenizer", options.tokenizer, "Another tokenizer than the model's own");
  command.add_option("--revision", options.revision, "Branch, tag or commit of a hub id");
  command.add_option("--dtype", options.dtype, "Arithmetic of the matrices")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->capture_default_str();
}

}  // namespace aurum::cli

// aurum convert: writes a model as a Hugging Face folder or a GGUF file.

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/gguf_tokenizer.h"
#include "cli/model_files.h"
#include "text/tokenizer/tokenizer.h"
#include "weights/checkpoint.h"
#include "weights/convert_tensor.h"
#include "weights/gguf_export.h"
#include "weights/lora_adapter.h"

namespace aurum::cli {
namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::string model, output, adapter, format, type = "bf16", revision = "main";
  bool overwrite = false;
};

bool writes_gguf(const ConvertOptions& options) {
  if (options.format.empty()) return options.output.ends_with(".gguf");
  return options.format == "gguf";
}

std::shared_ptr<const text::Tokenizer> tokenizer_of(const ConvertOptions& options) {
  try {
    return open_tokenizer(options.model, options.revision);
  } catch (const Error& error) {
    log_warning("no tokenizer is written: {}", error.what());
    return nullptr;
  }
}

bool is_same(const fs::path& a, const fs::path& b) { return fs::exists(a) && fs::equivalent(a, b); }

// --- Hugging Face folders ---

struct FolderType {
  std::string_view option, config_name;
  weights::DType dtype;
};

constexpr FolderType kFolderTypes[] = {{"f32", "float32", weights::DType::kFloat32},
                                       {"f16", "float16", weights::DType::kFloat16},
                                       {"bf16", "bfloat16", weights::DType::kBFloat16}};

const FolderType& folder_type(const ConvertOptions& options) {
  for (const FolderType& type : kFolderTypes) {
    if (type.option == options.type) return type;
  }
  throw InputError(
      fmt::format("--type {}: a Hugging Face folder holds f32, f16 or bf16. Give one of these, or "
                  "--format gguf.",
                  options.type));
}

void check_output_folder(const ConvertOptions& options, const fs::path& model) {
  const fs::path output(options.output);
  if (!fs::exists(output)) return;
  if (!fs::is_directory(output)) {
    throw InputError(fmt::format("{}: is a file. Name a new folder.", options.output));
  }
  if (is_same(output, model)) {
    throw InputError(fmt::format("{}: is the model itself. Name a new folder.", options.output));
  }
  if (!fs::is_empty(output) && !options.overwrite) {
    throw InputError(
        fmt::format("{}: the folder is not empty. Name a new folder, or give "
                    "--overwrite.",
                    options.output));
  }
}

// gpt_oss folders hold all experts of a layer in one tensor, which no writer here makes.
void check_expert_layout(const weights::Checkpoint& checkpoint) {
  if (!checkpoint.config().clamped_swiglu) return;
  throw InputError(
      fmt::format("{}: {} models cannot be written as a folder. Use the model as it is.",
                  checkpoint.path().string(), checkpoint.config().model_type));
}

void write_folder(const ConvertOptions& options, const weights::Checkpoint& checkpoint) {
  const FolderType& type = folder_type(options);
  check_output_folder(options, checkpoint.path());
  check_expert_layout(checkpoint);
  const weights::ModelConfig& config = checkpoint.config();
  if (!config.rope.frequency_divisors.empty()) {
    throw InputError(
        fmt::format("{}: its rope_freqs are not those of any llama3 scaling, which a "
                    "config.json cannot express. Convert from the original folder.",
                    checkpoint.path().string()));
  }
  std::vector<weights::TensorToWrite> tensors;
  for (const std::string& name : checkpoint.tensor_names()) {
    const auto write = [&checkpoint, &type, name](const weights::ByteSink& sink) {
      weights::write_converted(checkpoint.tensor(name), type.dtype, sink);
    };
    tensors.push_back({.name = name,
                       .dtype = type.dtype,
                       .shape = checkpoint.tensor(name).shape,
                       .write = write});
  }
  const std::size_t num_tensors = tensors.size();
  weights::write_safetensors(options.output, std::move(tensors));
  const fs::path output(options.output);
  if (!config.generation_config_json.empty()) {
    write_file(output / "generation_config.json", config.generation_config_json);
  }
  if (const auto tokenizer = tokenizer_of(options)) {
    text::save_tokenizer(*tokenizer, options.output);
  }
  // Last: a folder without it is not taken for a model.
  write_file(output / "config.json", weights::config_json_with_dtype(config, type.config_name));
  log_info("{}: {} tensors as {}", options.output, num_tensors, type.config_name);
}

// Writes the folder whole or not at all, but where it replaces another one.
void write_whole_folder(const ConvertOptions& options, const weights::Checkpoint& checkpoint) {
  const fs::path output(options.output);
  const bool is_new = !fs::exists(output);
  const bool is_empty = fs::is_directory(output) && fs::is_empty(output);
  try {
    write_folder(options, checkpoint);
  } catch (...) {
    std::error_code ignored;
    if (is_new) fs::remove_all(output, ignored);
    if (is_empty) {
      for (const auto& entry : fs::directory_iterator(output)) fs::remove_all(entry, ignored);
    }
    throw;
  }
}

// --- GGUF files ---

void check_output_file(const ConvertOptions& options, const fs::path& model) {
  const fs::path output(options.output);
  if (!fs::exists(output)) return;
  if (fs::is_directory(output)) {
    throw InputError(fmt::format("{}: is a folder. Name a .gguf file.", options.output));
  }
  if (is_same(output, model)) {
    throw InputError(fmt::format("{}: is the model itself. Name a new file.", options.output));
  }
  if (!options.overwrite) {
    throw InputError(
        fmt::format("{}: exists. Name a new file, or give --overwrite.", options.output));
  }
}

weights::GgufMetadata tokenizer_metadata(const ConvertOptions& options,
                                         const weights::Checkpoint& checkpoint) {
  const auto tokenizer = tokenizer_of(options);
  if (!tokenizer) return {};
  return gguf_tokenizer_metadata(text::gguf_vocabulary(*tokenizer), checkpoint.config().vocab_size);
}

void write_gguf_file(const ConvertOptions& options, const weights::Checkpoint& checkpoint) {
  const auto mix = weights::parse_quantization_mix(options.type);
  if (!mix) {
    throw InputError(fmt::format(
        "--type {}: a GGUF file is written as f32, f16, bf16, q8_0, q4_0 or q4_k_m. Give one of "
        "these.",
        options.type));
  }
  check_output_file(options, checkpoint.path());
  weights::export_gguf(checkpoint, *mix, tokenizer_metadata(options, checkpoint), options.output);
  log_info("{}: {} bytes, {}", options.output, fs::file_size(options.output), options.type);
}

void convert(const ConvertOptions& options) {
  auto checkpoint = open_model(options.model, options.revision);
  if (!options.adapter.empty()) {
    const auto adapter = weights::LoraAdapter::open(resolve_model(options.adapter));
    checkpoint = weights::merge_adapter(std::move(checkpoint), adapter);
  }
  if (writes_gguf(options)) {
    write_gguf_file(options, *checkpoint);
  } else {
    write_whole_folder(options, *checkpoint);
  }
}

}  // namespace

void add_convert_command(CLI::App& app) {
  auto* command = app.add_subcommand(
      "convert", "Write a model as a folder for transformers, or a file for llama.cpp");
  command->footer(
      "Examples: aurum convert model.q4_k_m.gguf model-hf --type bf16\n"
      "          aurum convert model-hf model.gguf --type q4_k_m");
  auto options = std::make_shared<ConvertOptions>();
  command->add_option("model", options->model, "A model folder, .gguf file or hub id")->required();
  command->add_option("output", options->output, "The folder or .gguf file to write")->required();
  command->add_option("--format", options->format, "hf or gguf; by default as the output's name")
      ->check(CLI::IsMember({"hf", "gguf"}));
  command
      ->add_option("--type", options->type, "f32, f16 or bf16; for GGUF also q8_0, q4_0 or q4_k_m")
      ->capture_default_str();
  command->add_option("--adapter", options->adapter,
                      "LoRA adapter (peft's format) to add to the weights: a folder or hub id");
  command->add_option("--revision", options->revision, "Revision of a hub id");
  command->add_flag("--overwrite", options->overwrite, "Replace what is there");
  command->callback([options] { convert(*options); });
}

}  // namespace aurum::cli

// aurum convert: writes a model as a Hugging Face folder.

#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/model_files.h"
#include "text/tokenizer/tokenizer.h"
#include "weights/checkpoint.h"

namespace aurum::cli {
namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::string model, output, format = "hf", type = "bf16", revision = "main";
  bool overwrite = false;
};

struct OutputType {
  std::string_view option, config_name;
  weights::DType dtype;
};

constexpr OutputType kTypes[] = {{"f32", "float32", weights::DType::kFloat32},
                                 {"f16", "float16", weights::DType::kFloat16},
                                 {"bf16", "bfloat16", weights::DType::kBFloat16}};

const OutputType& output_type(const ConvertOptions& options) {
  if (options.format != "hf") {
    throw InputError(
        fmt::format("--format {}: only hf can be written. Leave --format out.", options.format));
  }
  for (const OutputType& type : kTypes) {
    if (type.option == options.type) return type;
  }
  throw InputError(
      fmt::format("--type {}: a Hugging Face folder holds f32, f16 or bf16. Give one "
                  "of these.",
                  options.type));
}

// IEEE half precision, round to nearest even.
std::uint16_t half_of_float(float value) {
  const auto half = static_cast<_Float16>(value);
  std::uint16_t bits = 0;
  std::memcpy(&bits, &half, sizeof bits);
  return bits;
}

std::vector<std::byte> converted(const weights::TensorView& view, const OutputType& type) {
  const auto count = static_cast<std::size_t>(view.num_values());
  std::vector<std::byte> bytes(count * weights::block_bytes(type.dtype));
  auto* halves = reinterpret_cast<std::uint16_t*>(bytes.data());
  if (type.dtype == weights::DType::kFloat32) {
    auto* floats = reinterpret_cast<float*>(bytes.data());
    weights::dequantize_in_parallel(view, 0, std::span(floats, count));
  } else if (type.dtype == weights::DType::kBFloat16) {
    weights::dequantize_in_parallel(view, 0, std::span(halves, count));
  } else {
    std::vector<float> values(count);
    weights::dequantize_in_parallel(view, 0, std::span(values));
    for (std::size_t i = 0; i < count; ++i) halves[i] = half_of_float(values[i]);
  }
  return bytes;
}

void check_output(const ConvertOptions& options) {
  const fs::path output(options.output);
  if (!fs::exists(output)) return;
  if (!fs::is_directory(output)) {
    throw InputError(fmt::format("{}: is a file. Name a new folder.", options.output));
  }
  if (fs::equivalent(output, resolve_model(options.model, options.revision))) {
    throw InputError(fmt::format("{}: is the model itself. Name a new folder.", options.output));
  }
  if (!fs::is_empty(output) && !options.overwrite) {
    throw InputError(
        fmt::format("{}: the folder is not empty. Name a new folder, or give "
                    "--overwrite.",
                    options.output));
  }
}

void write_tokenizer(const ConvertOptions& options) {
  std::shared_ptr<const text::Tokenizer> tokenizer;
  try {
    tokenizer = open_tokenizer(options.model, options.revision);
  } catch (const Error& error) {
    log_warning("no tokenizer is written: {}", error.what());
    return;
  }
  text::save_tokenizer(*tokenizer, options.output);
}

void convert(const ConvertOptions& options) {
  const OutputType& type = output_type(options);
  check_output(options);
  const auto checkpoint = open_model(options.model, options.revision);
  const weights::ModelConfig& config = checkpoint->config();
  if (!config.rope.frequency_divisors.empty()) {
    throw InputError(
        fmt::format("{}: its rope_freqs are not those of any llama3 scaling, which a "
                    "config.json cannot express. Convert from the original folder.",
                    checkpoint->path().string()));
  }
  std::vector<weights::TensorToWrite> tensors;
  std::vector<std::vector<std::byte>> contents;
  for (const std::string& name : checkpoint->tensor_names()) {
    const weights::TensorView view = checkpoint->tensor(name);
    contents.push_back(converted(view, type));
    tensors.push_back({name, type.dtype, view.shape, contents.back()});
  }
  weights::write_safetensors(options.output, std::move(tensors));
  const fs::path output(options.output);
  if (!config.generation_config_json.empty()) {
    write_file(output / "generation_config.json", config.generation_config_json);
  }
  write_tokenizer(options);
  // Last: a folder without it is not taken for a model.
  write_file(output / "config.json", weights::config_json_with_dtype(config, type.config_name));
  log_info("{}: {} tensors as {}", options.output, contents.size(), type.config_name);
}

}  // namespace

void add_convert_command(CLI::App& app) {
  auto* command =
      app.add_subcommand("convert", "Write a model as a folder that transformers loads");
  command->footer("Example: aurum convert model.q4_k_m.gguf model-hf --type bf16");
  auto options = std::make_shared<ConvertOptions>();
  command->add_option("model", options->model, "A model folder, .gguf file or hub id")->required();
  command->add_option("output", options->output, "The folder to write")->required();
  command->add_option("--format", options->format, "hf");
  command->add_option("--type", options->type, "f32, f16 or bf16")->capture_default_str();
  command->add_option("--revision", options->revision, "Revision of a hub id");
  command->add_flag("--overwrite", options->overwrite, "Write into a folder that is not empty");
  command->callback([options] { convert(*options); });
}

}  // namespace aurum::cli

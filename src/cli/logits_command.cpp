// aurum logits: the logits of given token ids, as a safetensors file.

#include <fstream>
#include <iostream>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/model_files.h"
#include "model/causal_lm.h"

namespace aurum::cli {

namespace {

struct LogitsArguments {
  std::string model, dtype = "float32", input = "-", output, padding = "right";
  std::int64_t batch = 1;
};

std::vector<std::vector<std::int32_t>> read_rows(const std::string& input) {
  std::ifstream file;
  if (input != "-") file.open(input);
  if (input != "-" && !file) throw IoError(input + ": cannot read this file");
  std::istream& in = input == "-" ? std::cin : file;
  std::vector<std::vector<std::int32_t>> rows;
  std::int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty()) continue;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const bool good =
        json.is_object() && json.contains("ids") && json["ids"].is_array() && !json["ids"].empty();
    if (!good)
      throw InputError(fmt::format("{}:{}: expected {{\"ids\": [1, 2, ...]}}", input, number));
    auto& row = rows.emplace_back();
    for (const auto& id : json["ids"]) {
      if (!id.is_number_integer())
        throw InputError(fmt::format("{}:{}: ids must be whole numbers", input, number));
      row.push_back(id.get<std::int32_t>());
    }
  }
  if (rows.empty()) throw InputError(input + ": no rows");
  return rows;
}

void run_logits(const LogitsArguments& arguments) {
  const c10::NoGradGuard no_grad;
  const auto rows = read_rows(arguments.input);
  const auto checkpoint = open_model(arguments.model);
  const auto dtype =
      arguments.dtype == "float32" ? model::ComputeDType::kFloat32 : model::ComputeDType::kBFloat16;
  const auto lm = model::load_causal_lm(*checkpoint, {.dtype = dtype, .keep_quantized = true});
  std::vector<at::Tensor> kept;
  std::vector<weights::TensorToWrite> tensors;
  for (std::size_t begin = 0; begin < rows.size();
       begin += static_cast<std::size_t>(arguments.batch)) {
    const std::size_t end =
        std::min(rows.size(), begin + static_cast<std::size_t>(arguments.batch));
    model::PackedBatch batch;
    for (std::size_t i = begin; i < end; ++i) batch.add_row(rows[i]);
    const at::Tensor hidden = lm->hidden_states(batch);
    for (std::size_t i = begin; i < end; ++i) {
      const at::Tensor row =
          hidden.slice(0, batch.row_offsets[i - begin], batch.row_offsets[i - begin + 1]);
      kept.push_back(lm->logits(row).to(at::kFloat).contiguous());
      tensors.push_back({.name = fmt::format("logits.{}", i),
                         .dtype = weights::DType::kFloat32,
                         .shape = kept.back().sizes().vec(),
                         .bytes = {static_cast<const std::byte*>(kept.back().const_data_ptr()),
                                   static_cast<std::size_t>(kept.back().nbytes())}});
    }
  }
  weights::write_safetensors_file(arguments.output, std::move(tensors));
}

}  // namespace

void add_logits_command(CLI::App& app) {
  auto arguments = std::make_shared<LogitsArguments>();
  CLI::App* command = app.add_subcommand("logits", "Write the logits of token ids");
  command->footer(
      "Example: echo '{\"ids\": [1, 2, 3]}' | aurum logits --model MODEL --output "
      "logits.safetensors");
  command->add_option("--model", arguments->model, "Model")->required();
  command->add_option("--dtype", arguments->dtype, "float32 or bfloat16")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
  command->add_option("--input", arguments->input, "JSON lines with ids; - is standard input");
  command->add_option("--output", arguments->output, "safetensors file to write")->required();
  command->add_option("--batch", arguments->batch, "Rows at a time")->check(CLI::PositiveNumber);
  command
      ->add_option("--padding", arguments->padding,
                   "Accepted for scripts; rows are packed without padding")
      ->check(CLI::IsMember({"left", "right"}));
  command->callback([arguments] { run_logits(*arguments); });
}

}  // namespace aurum::cli

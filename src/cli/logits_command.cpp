// aurum logits: the logits of given token ids, as a safetensors file.

#include <algorithm>
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
  std::string model, revision = "main", dtype = "float32", input = "-", output, padding = "right";
  std::int64_t batch = 1;
};

struct Row {
  std::string name;  // of the tensor to write
  std::vector<std::int32_t> ids;
};

std::vector<std::int32_t> parse_ids(const std::string& line, std::int64_t vocab_size) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("ids") || !json["ids"].is_array() ||
      json["ids"].empty()) {
    throw InputError("expected {\"ids\": [1, 2, ...]} with at least one id");
  }
  std::vector<std::int32_t> ids;
  for (const auto& id : json["ids"]) {
    if (!id.is_number_integer()) throw InputError("ids must be whole numbers");
    const auto value = id.get<std::int64_t>();
    if (value < 0 || value >= vocab_size) {
      throw InputError(
          fmt::format("id {} is not below the vocabulary's size, {}", id.dump(), vocab_size));
    }
    ids.push_back(static_cast<std::int32_t>(value));
  }
  return ids;
}

struct Rows {
  std::vector<Row> good;
  bool any_failed = false;
};

// A bad line is answered on standard output, and its number stays free among the tensors.
Rows read_rows(const std::string& input, std::int64_t vocab_size) {
  std::ifstream file;
  if (input != "-") file.open(input);
  if (input != "-" && (!file || std::filesystem::is_directory(input))) {
    throw IoError(input + ": cannot read this file");
  }
  std::istream& in = input == "-" ? std::cin : file;
  Rows rows;
  std::int64_t index = 0, number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    JsonLine line{.number = number};
    line.answer([&] {
      rows.good.push_back({fmt::format("logits.{}", index), parse_ids(text, vocab_size)});
      return nlohmann::ordered_json();
    });
    ++index;
    if (!line.failed) continue;
    rows.any_failed = true;
    std::cout << line.result.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  }
  std::cout << std::flush;
  if (rows.good.empty() && !rows.any_failed) throw InputError(input + ": no rows");
  return rows;
}

// Computes rows in the order in which the file is written, a batch of them at a time, so that only
// one batch's hidden states and a few positions' logits are in memory.
class LogitsWriter {
 public:
  LogitsWriter(model::CausalLm& lm, std::vector<Row> rows, std::int64_t batch)
      : lm_(lm), rows_(std::move(rows)), batch_size_(static_cast<std::size_t>(batch)) {
    std::ranges::sort(rows_, {}, &Row::name);
  }

  void write(const std::string& output) {
    const std::int64_t vocab_size = lm_.config().vocab_size;
    std::vector<weights::TensorToWrite> tensors;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      tensors.push_back(
          {.name = rows_[i].name,
           .dtype = weights::DType::kFloat32,
           .shape = {static_cast<std::int64_t>(rows_[i].ids.size()), vocab_size},
           .write = [this, i](const weights::ByteSink& sink) { write_row(i, sink); }});
    }
    weights::write_safetensors_file(output, std::move(tensors));
  }

 private:
  void write_row(std::size_t index, const weights::ByteSink& sink) {
    constexpr std::int64_t kPositions = 128;
    if (index >= batch_end_) run_batch(index);
    const auto place = index - batch_begin_;
    const std::int64_t begin = batch_.row_offsets[place], end = batch_.row_offsets[place + 1];
    for (std::int64_t at = begin; at < end; at += kPositions) {
      const at::Tensor part = hidden_.slice(0, at, std::min(end, at + kPositions));
      const at::Tensor logits = lm_.logits(part).to(at::kFloat).contiguous();
      sink({static_cast<const std::byte*>(logits.const_data_ptr()),
            static_cast<std::size_t>(logits.nbytes())});
    }
  }

  void run_batch(std::size_t begin) {
    batch_begin_ = begin;
    batch_end_ = std::min(rows_.size(), begin + batch_size_);
    batch_ = {};
    for (std::size_t i = begin; i < batch_end_; ++i) batch_.add_row(rows_[i].ids);
    hidden_ = lm_.hidden_states(batch_);
  }

  model::CausalLm& lm_;
  std::vector<Row> rows_;
  std::size_t batch_size_, batch_begin_ = 0, batch_end_ = 0;
  model::PackedBatch batch_;
  at::Tensor hidden_;
};

void run_logits(const LogitsArguments& arguments) {
  const c10::NoGradGuard no_grad;
  const auto checkpoint = open_model(arguments.model, arguments.revision);
  Rows rows = read_rows(arguments.input, checkpoint->config().vocab_size);
  if (!rows.good.empty()) {
    const auto dtype = arguments.dtype == "float32" ? model::ComputeDType::kFloat32
                                                    : model::ComputeDType::kBFloat16;
    const auto lm = model::load_causal_lm(*checkpoint, {.dtype = dtype, .keep_quantized = true});
    LogitsWriter(*lm, std::move(rows.good), arguments.batch).write(arguments.output);
  }
  if (rows.any_failed) throw ExitWithCode{2};
}

}  // namespace

void add_logits_command(CLI::App& app) {
  auto arguments = std::make_shared<LogitsArguments>();
  CLI::App* command = app.add_subcommand("logits", "Write the logits of token ids");
  command->footer(
      "Example: echo '{\"ids\": [1, 2, 3]}' | aurum logits --model MODEL --output "
      "logits.safetensors");
  command->add_option("--model", arguments->model, "A model folder, .gguf file or hub id")
      ->required();
  command->add_option("--revision", arguments->revision, "Revision of a hub id");
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

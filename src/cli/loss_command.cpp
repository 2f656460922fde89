// aurum loss: the loss of one optimizer window and its gradient, from given tensors.

#include <algorithm>
#include <chrono>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "cli/loss_inputs.h"
#include "cli/loss_options.h"
#include "loss/fused_lm_head_loss.h"
#include "weights/checkpoint.h"

namespace aurum::cli {

namespace {

struct LossArguments {
  ConfigOptions config;
  std::string inputs, output, form = "plain", dtype = "float32";
  std::int64_t micro_batch = 0;  // 0 = all rows at once
  std::int64_t chunk = 96;
  bool timing = false;
};

// Sums over the window.
struct Outputs {
  loss::LossTerms terms;
  std::vector<at::Tensor> student_rows;  // gradients, as the student's rows
  at::Tensor student_head;
};

// Empty for a side that the settings leave unused.
loss::HeadInput head_input(const LossInputSide& side, std::size_t begin, std::size_t end) {
  if (side.rows.empty()) return {};
  const std::vector<at::Tensor> rows(side.rows.begin() + static_cast<std::ptrdiff_t>(begin),
                                     side.rows.begin() + static_cast<std::ptrdiff_t>(end));
  return {.hidden = rows.size() == 1 ? rows.front() : at::cat(rows),
          .weight = side.head,
          .vocab = side.vocab};
}

// Hands the gradient of some rows, laid end to end, back to each row.
void add_gradients(const loss::LossGradients& gradients, const LossInputSide& student,
                   std::size_t begin, std::size_t end, Outputs& outputs) {
  std::int64_t offset = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const std::int64_t size = student.rows[i].size(0);
    outputs.student_rows.push_back(gradients.student_hidden.narrow(0, offset, size));
    offset += size;
  }
  if (!gradients.student_weight.defined()) return;
  if (outputs.student_head.defined()) {
    outputs.student_head.add_(gradients.student_weight);
  } else {
    outputs.student_head = gradients.student_weight;
  }
}

Outputs compute_window(const LossInputs& inputs, const loss::LossConfig& config,
                       const LossArguments& arguments) {
  const c10::NoGradGuard no_grad;
  const loss::WindowCounts counts = loss::count_window(inputs.rows, config);
  const std::size_t num_rows = inputs.rows.size();
  const std::size_t step =
      arguments.micro_batch > 0 ? static_cast<std::size_t>(arguments.micro_batch) : num_rows;
  Outputs outputs;
  loss::FusedLmHeadLoss fused;
  for (std::size_t begin = 0; begin < num_rows; begin += step) {
    const std::size_t end = std::min(num_rows, begin + step);
    const std::vector<loss::Row> rows(inputs.rows.begin() + static_cast<std::ptrdiff_t>(begin),
                                      inputs.rows.begin() + static_cast<std::ptrdiff_t>(end));
    const loss::HeadInput student = head_input(inputs.student, begin, end);
    const loss::HeadInput teacher = head_input(inputs.teacher, begin, end);
    loss::LossResult result;
    if (arguments.form == "fused") {
      result.gradients = loss::zero_gradients(student, at::kFloat);
      result.terms = fused.compute(rows, student, teacher, inputs.vocabulary, counts, config,
                                   arguments.chunk, result.gradients);
    } else {
      result = loss::plain_loss(rows, student, teacher, inputs.vocabulary, counts, config,
                                arguments.dtype == "float64");
    }
    outputs.terms += result.terms;
    add_gradients(result.gradients, inputs.student, begin, end, outputs);
  }
  return outputs;
}

class OutputFile {
 public:
  void add(const std::string& name, double value) {
    add(name, at::scalar_tensor(value, at::kDouble));
  }

  void add(const std::string& name, const at::Tensor& tensor) {
    kept_.push_back(tensor.contiguous());
    const at::Tensor& kept = kept_.back();
    const bool wide = kept.scalar_type() == at::kDouble;
    tensors_.push_back({.name = name,
                        .dtype = wide ? weights::DType::kFloat64 : weights::DType::kFloat32,
                        .shape = kept.sizes().vec(),
                        .bytes = {static_cast<const std::byte*>(kept.const_data_ptr()),
                                  static_cast<std::size_t>(kept.nbytes())}});
  }

  void write(const std::string& path) {
    weights::write_safetensors_file(path, std::move(tensors_));
  }

 private:
  std::vector<at::Tensor> kept_;  // owns the bytes of `tensors_`
  std::vector<weights::TensorToWrite> tensors_;
};

void write_outputs(const Outputs& outputs, at::ScalarType dtype, const std::string& path) {
  OutputFile file;
  const loss::LossTerms& terms = outputs.terms;
  file.add("loss", terms.loss);
  file.add("distillation", terms.distillation);
  file.add("cross_entropy", terms.cross_entropy);
  file.add("matched_loss", terms.matched);
  file.add("unmatched_loss", terms.unmatched);
  file.add("groups", static_cast<double>(terms.groups));
  const bool has_head = outputs.student_head.defined();
  for (std::size_t i = 0; i < outputs.student_rows.size(); ++i) {
    file.add(fmt::format("student_{}_grad.{}", has_head ? "hidden" : "logits", i),
             outputs.student_rows[i].to(dtype));
  }
  if (has_head) file.add("student_head_grad", outputs.student_head.to(dtype));
  file.write(path);
}

void run_loss(const LossArguments& arguments) {
  const at::ScalarType dtype = arguments.dtype == "float64" ? at::kDouble : at::kFloat;
  if (arguments.form == "fused" && dtype == at::kDouble) {
    throw InputError("--form fused computes in float32; use --dtype float32 or --form plain");
  }
  const config::GoldParams gold = load_config(arguments.config).training.gold;
  loss::LossConfig config = loss_config(gold);
  config.sequence_level = uses_sequence_level_kd(gold);
  const LossInputs inputs = read_loss_inputs(arguments.inputs, config, dtype);
  const auto start = std::chrono::steady_clock::now();
  const Outputs outputs = compute_window(inputs, config, arguments);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  write_outputs(outputs, dtype, arguments.output);
  if (arguments.timing) fmt::print(stderr, "timing {{\"seconds\": {}}}\n", seconds.count());
}

}  // namespace

void add_loss_command(CLI::App& app) {
  auto arguments = std::make_shared<LossArguments>();
  CLI::App* command =
      app.add_subcommand("loss", "Compute the loss of a window and its gradient from tensors");
  command->footer(
      "Example: aurum loss -c gold.yaml --inputs window.safetensors --output loss.safetensors");
  add_config_options(*command, arguments->config);
  command
      ->add_option("--inputs", arguments->inputs, "safetensors file with the tensors of the window")
      ->required();
  command->add_option("--output", arguments->output, "safetensors file to write")->required();
  command
      ->add_option("--form", arguments->form, "plain (the specification) or fused (the fast one)")
      ->check(CLI::IsMember({"plain", "fused"}));
  command->add_option("--dtype", arguments->dtype, "Of the arithmetic; float64 with --form plain")
      ->check(CLI::IsMember({"float32", "float64"}));
  command->add_option("--micro-batch", arguments->micro_batch, "Rows at a time; default all")
      ->check(CLI::PositiveNumber);
  command->add_option("--chunk", arguments->chunk, "Aligned groups at a time in the fused form")
      ->check(CLI::PositiveNumber);
  command->add_flag("--timing", arguments->timing, "Print the seconds of the loss alone");
  command->callback([arguments] { run_loss(*arguments); });
}

}  // namespace aurum::cli

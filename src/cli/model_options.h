#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/model_files.h"
#include "model/causal_lm.h"

namespace aurum::cli {

// The model of a command that samples from it: --model, --tokenizer, --revision and --dtype.
struct ModelOptions {
  std::string name, tokenizer, revision = kMain, dtype = "bfloat16";

  std::shared_ptr<const weights::Checkpoint> load_checkpoint() const;
  std::shared_ptr<const text::Tokenizer> load_tokenizer() const;
  model::ComputeDType compute_dtype() const;
};

void add_model_options(CLI::App& command, ModelOptions& options);

}  // namespace aurum::cli

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/tokenizer/tokenizer.h"
#include "train/optimizer.h"
#include "train/trainer.h"

namespace aurum::train {

// What trainer_state.json says beside the progress.
struct RunFacts {
  std::int64_t max_steps = 0, logging_steps = 0, save_steps = 0, eval_steps = 0;
  std::int64_t train_batch_size = 0, rows_per_step = 0, steps_per_epoch = 1;
};

// What the end of a run adds: the text of README.md, and how long this process trained for how
// many steps.
struct RunEnd {
  std::string model_card;
  double train_seconds = 0.0;
  std::int64_t num_steps = 0;
};

// The folder that a run fills: checkpoints, logs, the final model. Every file and every
// checkpoint-N folder is written under a temporary name and renamed when it is whole.
class RunFolder {
 public:
  // Makes the folder. Throws InputError when a finished or foreign run is in it and neither
  // `resume` nor `overwrite` is set; `overwrite` removes the old run's files.
  RunFolder(std::filesystem::path path, bool resume, bool overwrite);

  const std::filesystem::path& path() const { return path_; }
  // The newest whole checkpoint-N, if any.
  std::optional<std::filesystem::path> last_checkpoint() const;

  // Writes checkpoint-N: model or adapter, tokenizer, optimizer state, trainer_state.json.
  void save_checkpoint(const Progress& progress, const RunFacts& facts, model::CausalLm& student,
                       const text::Tokenizer& tokenizer, const Optimizer& optimizer) const;
  // Writes the final model or adapter, its README.md and trainer_state.json at the top.
  void save_final_model(const Progress& progress, const RunFacts& facts, const RunEnd& end,
                        model::CausalLm& student, const text::Tokenizer& tokenizer,
                        const Optimizer& optimizer) const;

 private:
  std::filesystem::path path_;
};

// Brings the optimizer (and with it the student) back to a checkpoint. Throws FormatError.
Progress load_checkpoint(const std::filesystem::path& checkpoint, Optimizer& optimizer);

}  // namespace aurum::train

#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace aurum::train {

// Learning-rate schedules by their Hugging Face names, with transformers' options and defaults:
// linear, cosine, cosine_with_restarts, polynomial, constant, constant_with_warmup, inverse_sqrt,
// cosine_with_min_lr, cosine_warmup_with_min_lr and warmup_stable_decay. The rate of a step is a
// function of its number; reduce_lr_on_plateau is not, and has PlateauSchedule.
struct LrSchedule {
  std::string type = "linear";
  double peak = 5e-5;
  std::int64_t warmup_steps = 0;
  std::int64_t max_steps = 1;

  std::optional<double> num_cycles;              // 0.5; cosine_with_restarts: 1
  double lr_end = 1e-7, power = 1.0;             // polynomial
  std::optional<std::int64_t> timescale;         // inverse_sqrt: the warm-up, else 10,000
  std::optional<double> min_lr, min_lr_rate;     // cosine_*with_min_lr: one of them
  std::optional<double> warmup_lr_rate;          // cosine_warmup_with_min_lr
  std::int64_t num_decay_steps = 0;              // warmup_stable_decay, and what follows
  std::optional<std::int64_t> num_stable_steps;  // all that is left
  std::string warmup_type = "linear", decay_type = "cosine";  // or cosine, linear, 1-sqrt
  double min_lr_ratio = 0.0;

  // The rate of update number `step`, the first being 0.
  double at(std::int64_t step) const;

 private:
  double factor(std::int64_t step) const;
  double warm_up(std::int64_t step) const;
  double cosine(double progress) const;
  double restarting_cosine(double progress) const;
  double cosine_after_lifted_warm_up(std::int64_t step) const;
  double polynomial(std::int64_t step) const;
  double inverse_sqrt(std::int64_t step) const;
  double warmup_stable_decay(std::int64_t step) const;
  double lowest_rate() const { return min_lr ? *min_lr / peak : min_lr_rate.value_or(0.0); }
};

// torch's ReduceLROnPlateau: scales the rate down when the evaluation loss stops getting better.
struct PlateauConfig {
  std::string mode = "min", threshold_mode = "rel";  // or max, abs
  double factor = 0.1, threshold = 1e-4, min_lr = 0.0, eps = 1e-8;
  std::int64_t patience = 10, cooldown = 0;
};

// All that changes in it, to be saved and resumed.
struct PlateauState {
  double rate = 0.0;
  std::optional<double> best;  // none yet
  std::int64_t num_bad = 0, cooldown_left = 0;
};

class PlateauSchedule {
 public:
  PlateauSchedule(PlateauConfig config, double peak)
      : config_(std::move(config)), state_{.rate = peak} {}

  // After an evaluation.
  void observe(double loss);

  double rate() const { return state_.rate; }
  const PlateauState& state() const { return state_; }
  void resume(const PlateauState& state) { state_ = state; }

 private:
  bool is_better(double loss) const;

  PlateauConfig config_;
  PlateauState state_;
};

}  // namespace aurum::train

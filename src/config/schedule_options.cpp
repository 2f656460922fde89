#include "config/schedule_options.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"

namespace aurum::config {

namespace {

constexpr const char* kKey = "training.lr_scheduler_kwargs";
constexpr double kMost = 1e15;  // of any number: far beyond use, and exact as a whole one

struct Option {
  std::string_view name;
  double min = 0.0;
  bool is_whole = false;
  std::vector<std::string_view> words = {};  // a word instead of a number
};

struct Schedule {
  std::string_view name;
  std::vector<Option> options;
};

const std::vector<Schedule>& schedules() {
  static const std::vector<std::string_view> shapes = {"linear", "cosine", "1-sqrt"};
  static const std::vector<Schedule> all = {
      {"cosine", {{"num_cycles"}}},
      {"cosine_with_restarts", {{"num_cycles", 1, true}}},
      {"polynomial", {{"lr_end"}, {"power"}}},
      {"inverse_sqrt", {{"timescale", 1, true}}},
      {"cosine_with_min_lr", {{"num_cycles"}, {"min_lr"}, {"min_lr_rate"}}},
      {"cosine_warmup_with_min_lr",
       {{"num_cycles"}, {"min_lr"}, {"min_lr_rate"}, {"warmup_lr_rate"}}},
      {"warmup_stable_decay",
       {{"num_decay_steps", 0, true},
        {"num_stable_steps", 0, true},
        {"warmup_type", 0, false, shapes},
        {"decay_type", 0, false, shapes},
        {"min_lr_ratio"},
        {"num_cycles"}}},
      {"reduce_lr_on_plateau",
       {{"mode", 0, false, {"min", "max"}},
        {"factor"},
        {"patience", 0, true},
        {"threshold"},
        {"threshold_mode", 0, false, {"rel", "abs"}},
        {"cooldown", 0, true},
        {"min_lr"},
        {"eps"}}}};
  return all;
}

// JSON has no word for numbers that are not finite, and would print null.
std::string shown(const Json& value) {
  return value.is_number_float() ? fmt::format("{}", value.get<double>()) : value.dump();
}

class ScheduleChecker {
 public:
  explicit ScheduleChecker(const TrainingConfig& config)
      : training_(config.training), place_(config.place_of(kKey)) {}

  void check() const {
    const std::vector<Option> known = known_options();
    for (const auto& [name, value] : entries().items()) {
      const auto found =
          std::find_if(known.begin(), known.end(), [&](const Option& o) { return o.name == name; });
      if (found == known.end()) fail(name, unknown(known));
      check_value(*found, value);
    }
    check_needs();
  }

 private:
  const Json& entries() const { return training_.lr_scheduler_kwargs.entries; }

  [[noreturn]] void fail(std::string_view name, const std::string& what) const {
    throw ConfigError(fmt::format("{}: {}.{}{}", place_, kKey, name, what));
  }

  std::vector<Option> known_options() const {
    for (const Schedule& schedule : schedules()) {
      if (schedule.name == training_.lr_scheduler_type) return schedule.options;
    }
    return {};
  }

  std::string unknown(const std::vector<Option>& known) const {
    const std::string& type = training_.lr_scheduler_type;
    if (known.empty()) return fmt::format(": the schedule {} has no options", type);
    std::vector<std::string_view> names;
    for (const Option& option : known) names.push_back(option.name);
    return fmt::format(" is no option of the schedule {}; it has {}", type, fmt::join(names, ", "));
  }

  void check_value(const Option& option, const Json& value) const {
    if (value.is_null()) return;
    if (!option.words.empty()) {
      const bool fits =
          value.is_string() && std::find(option.words.begin(), option.words.end(),
                                         value.get<std::string>()) != option.words.end();
      if (!fits) {
        fail(option.name, fmt::format(" must be one of {}, found {}", fmt::join(option.words, ", "),
                                      value.dump()));
      }
      return;
    }
    const bool has_type = option.is_whole ? value.is_number_integer() : value.is_number();
    const bool fits = has_type && value.get<double>() >= option.min && value.get<double>() <= kMost;
    if (fits) return;
    fail(option.name,
         fmt::format(" must be a {} from {} to {:g}, found {}",
                     option.is_whole ? "whole number" : "number", option.min, kMost, shown(value)));
  }

  bool has(const char* name) const {
    return entries().contains(name) && !entries()[name].is_null();
  }

  double number(const char* name, double fallback) const {
    return has(name) ? entries()[name].get<double>() : fallback;
  }

  void check_needs() const {
    const std::string& type = training_.lr_scheduler_type;
    const double lr_end = number("lr_end", 1e-7);
    if (type == "polynomial" && lr_end >= training_.learning_rate) {
      fail("lr_end", fmt::format(" ({}) must be below training.learning_rate ({})", lr_end,
                                 training_.learning_rate));
    }
    if (type.ends_with("with_min_lr") && has("min_lr") == has("min_lr_rate")) {
      fail("min_lr", fmt::format(": the schedule {} needs one of min_lr and min_lr_rate", type));
    }
    if (type == "warmup_stable_decay" && !has("num_decay_steps")) {
      fail("num_decay_steps", ": the schedule warmup_stable_decay needs it");
    }
    if (type == "reduce_lr_on_plateau") check_plateau();
  }

  void check_plateau() const {
    if (number("factor", 0.1) >= 1.0) {
      fail("factor", fmt::format(" must be below 1, found {}", entries()["factor"].dump()));
    }
    if (training_.eval_strategy != "no") return;
    throw ConfigError(fmt::format(
        "{}: training.lr_scheduler_type: reduce_lr_on_plateau follows the evaluation loss: set "
        "training.eval_strategy to steps or epoch",
        place_));
  }

  const TrainingParams& training_;
  std::string place_;
};

}  // namespace

void check_schedule_options(const TrainingConfig& config) {
  if (config.training.lr_scheduler_type == "greedy") return;  // refused as a whole
  ScheduleChecker(config).check();
}

}  // namespace aurum::config

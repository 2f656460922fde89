#include "train/lr_schedule.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/files.h"

namespace aurum::train {
namespace {

using Json = nlohmann::json;

// Learning rates of transformers' and torch's schedules: tools/make_optimizer_goldens.py.
const Json& golden() {
  static const Json file =
      Json::parse(read_file(std::string(AURUM_SOURCE_DIR) + "/tests/golden/train/schedules.json"));
  return file;
}

template <typename Value>
std::optional<Value> option(const Json& options, const char* name) {
  if (!options.contains(name)) return std::nullopt;
  return options[name].get<Value>();
}

LrSchedule schedule_of(const Json& row) {
  const Json& options = row["options"];
  return {.type = row["type"],
          .peak = golden()["peak"],
          .warmup_steps = row["warmup_steps"],
          .max_steps = golden()["max_steps"],
          .num_cycles = option<double>(options, "num_cycles"),
          .lr_end = options.value("lr_end", 1e-7),
          .power = options.value("power", 1.0),
          .timescale = option<std::int64_t>(options, "timescale"),
          .min_lr = option<double>(options, "min_lr"),
          .min_lr_rate = option<double>(options, "min_lr_rate"),
          .warmup_lr_rate = option<double>(options, "warmup_lr_rate"),
          .num_decay_steps = options.value("num_decay_steps", std::int64_t{0}),
          .num_stable_steps = option<std::int64_t>(options, "num_stable_steps"),
          .warmup_type = options.value("warmup_type", "linear"),
          .decay_type = options.value("decay_type", "cosine"),
          .min_lr_ratio = options.value("min_lr_ratio", 0.0)};
}

TEST(LrSchedule, EqualsTransformersAtEveryStep) {
  ASSERT_EQ(golden()["schedules"].size(), 32u);
  for (const Json& row : golden()["schedules"]) {
    const LrSchedule schedule = schedule_of(row);
    for (std::size_t step = 0; step < row["rates"].size(); ++step) {
      EXPECT_NEAR(schedule.at(static_cast<std::int64_t>(step)), row["rates"][step].get<double>(),
                  1e-16)
          << row["type"] << row["options"] << " at " << step;
    }
  }
}

TEST(PlateauSchedule, EqualsTorchAndResumesAnywhere) {
  for (const Json& row : golden()["plateaus"]) {
    const Json& options = row["options"];
    const PlateauConfig config{.mode = options.value("mode", "min"),
                               .threshold_mode = options.value("threshold_mode", "rel"),
                               .factor = options.value("factor", 0.1),
                               .threshold = options.value("threshold", 1e-4),
                               .min_lr = options.value("min_lr", 0.0),
                               .patience = options.value("patience", std::int64_t{10}),
                               .cooldown = options.value("cooldown", std::int64_t{0})};
    PlateauState state{.rate = golden()["peak"]};
    for (std::size_t i = 0; i < row["losses"].size(); ++i) {
      PlateauSchedule schedule(config, 1.0);
      schedule.resume(state);
      schedule.observe(row["losses"][i]);
      state = schedule.state();
      EXPECT_DOUBLE_EQ(schedule.rate(), row["rates"][i].get<double>()) << options << " at " << i;
    }
  }
}

}  // namespace
}  // namespace aurum::train

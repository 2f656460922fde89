// Losses and gradients of other programs: TRL's own code under `compat: trl`, and a float64
// reference written from the formulas. tools/make_loss_goldens.py writes both files.

#include <cmath>
#include <fstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "loss/fused_lm_head_loss.h"

namespace aurum::loss {
namespace {

using Json = nlohmann::json;

// The stream from which the Python script draws the logits.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  void fill(at::Tensor& tensor, double scale) {
    auto* values = tensor.mutable_data_ptr<double>();
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      const double unit = static_cast<double>(next() >> 11) * 0x1p-53;
      values[i] = (2.0 * unit - 1.0) * scale;
    }
  }

 private:
  std::uint64_t state_;
};

struct Case {
  std::vector<Row> rows;
  HeadInput student, teacher;  // logits, float64
  VocabularyPair vocabulary;
  LossConfig config;
  Json expected;
};

RowSide parse_side(const Json& json) {
  RowSide side{.ids = json[0].get<std::vector<std::int32_t>>(), .ends_with_eos = json[3] == 1};
  const auto prompt = json[1].get<std::size_t>();
  side.is_completion.assign(side.ids.size(), true);
  side.spans.resize(side.ids.size());
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < side.ids.size(); ++i) {
    if (i < prompt) {
      side.is_completion[i] = false;
      continue;
    }
    const auto end = json[2][i - prompt].get<std::int64_t>();
    side.spans[i] = {begin, end};
    begin = end;
  }
  return side;
}

LossConfig parse_config(const Json& json) {
  LossConfig config{.use_uld_loss = json.value("use_uld_loss", true)};
  config.use_extended_uld = json.value("use_extended_uld", true);
  config.hybrid = json.value("hybrid", false);
  if (json.contains("matched_weight")) {
    config.hybrid_matched_weight = json["matched_weight"].get<double>();
    config.hybrid_unmatched_weight = json["unmatched_weight"].get<double>();
  }
  config.crossentropy_weight = json.value("crossentropy_weight", 0.0);
  config.distillation_weight = json.value("distillation_weight", 1.0);
  config.student_temperature = json.value("student_temperature", 1.0);
  config.teacher_temperature = json.value("teacher_temperature", 1.0);
  config.temperature = json.value("temperature", 1.0);
  config.beta = json.value("beta", 0.5);
  config.skip_student_eos = json.value("skip_student_eos", true);
  config.skip_teacher_eos = json.value("skip_teacher_eos", true);
  config.compat_trl = json.value("compat_trl", false);
  if (json.value("merge", "bayesian") == "observed") config.merge = MergeStrategy::kObserved;
  return config;
}

Case parse_case(const Json& json) {
  Case out{.config = parse_config(json["config"]), .expected = json};
  std::int64_t students = 0, teachers = 0;
  for (const Json& row : json["rows"]) {
    out.rows.push_back({parse_side(row[0]), parse_side(row[1])});
    students += static_cast<std::int64_t>(out.rows.back().student.ids.size());
    teachers += static_cast<std::int64_t>(out.rows.back().teacher.ids.size());
  }
  out.student.vocab = json["vocab"][0];
  out.teacher.vocab = json["vocab"][1];
  out.vocabulary = {.student_size = json["size"][0], .teacher_size = json["size"][1]};
  for (const Json& pair : json["matched"]) {
    out.vocabulary.matched.emplace_back(pair[0].get<int>(), pair[1].get<int>());
  }
  SplitMix64 stream(json["seed"].get<std::uint64_t>());
  out.student.hidden = at::empty({students, out.student.vocab}, at::kDouble);
  out.teacher.hidden = at::empty({teachers, out.teacher.vocab}, at::kDouble);
  stream.fill(out.student.hidden, json["scale"]);
  stream.fill(out.teacher.hidden, json["scale"]);
  return out;
}

std::vector<Case> read_cases(const std::string& name) {
  std::ifstream file(std::string(AURUM_SOURCE_DIR) + "/tests/golden/" + name);
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) cases.push_back(parse_case(Json::parse(line)));
  return cases;
}

struct Tolerance {
  double value;     // of the loss, relative to max(1, |loss|)
  double gradient;  // of every entry, relative to the largest of the case
  double rounding;  // of a probability, which is all that is left where models agree
};

void expect_equal(const LossResult& result, const Case& c, Tolerance tolerance) {
  const auto near = [&](double ours, const char* key) {
    if (!c.expected.contains(key)) return;
    const double expected = c.expected[key];
    EXPECT_NEAR(ours, expected, tolerance.value * std::max(1.0, std::abs(expected))) << key;
  };
  near(result.terms.loss, "loss");
  if (c.config.use_uld_loss) {
    near(result.terms.matched, "matched_loss");
    near(result.terms.unmatched, "unmatched_loss");
  }
  const auto expected = c.expected["gradient"].get<std::vector<double>>();
  const at::Tensor gradient = result.gradients.student_hidden.to(at::kDouble).contiguous();
  ASSERT_EQ(static_cast<std::size_t>(gradient.numel()), expected.size());
  double largest = 0.0, worst = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    worst = std::max(worst, std::abs(gradient.const_data_ptr<double>()[i] - expected[i]));
  }
  EXPECT_LE(worst, tolerance.gradient * largest + tolerance.rounding);
}

void expect_agreement(const std::string& file, std::size_t num_cases, Tolerance in_float64) {
  const std::vector<Case> cases = read_cases(file);
  ASSERT_EQ(cases.size(), num_cases);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.expected["seed"].dump() + " " + c.expected["config"].dump());
    const WindowCounts counts = count_window(c.rows, c.config);
    expect_equal(plain_loss(c.rows, c.student, c.teacher, c.vocabulary, counts, c.config, true), c,
                 in_float64);
    // float32: a probability of 1e-8 has a logarithm that rounds at 1e-6.
    const Tolerance in_float32{1e-5, 1e-5, 1e-7};
    expect_equal(plain_loss(c.rows, c.student, c.teacher, c.vocabulary, counts, c.config, false), c,
                 in_float32);
    LossResult fused{.gradients = zero_gradients(c.student, at::kFloat)};
    fused.terms = FusedLmHeadLoss().compute(c.rows, c.student, c.teacher, c.vocabulary, counts,
                                            c.config, 3, fused.gradients);
    expect_equal(fused, c, in_float32);
  }
}

// The file has the gradients of TRL to seven digits.
TEST(Golden, CompatTrlEqualsTrl) { expect_agreement("loss_trl.jsonl", 240, {1e-9, 6e-7, 1e-15}); }

TEST(Golden, DefaultsEqualTheReference) {
  expect_agreement("loss_spec.jsonl", 80, {1e-9, 1e-9, 1e-15});
}

}  // namespace
}  // namespace aurum::loss

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "weights/checkpoint.h"

namespace aurum::cli {
namespace {

using ::testing::HasSubstr;
using testing_support::ProgramResult;
using testing_support::run_aurum;

struct Values {
  weights::DType dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

template <typename T>
Values make_values(weights::DType dtype, std::vector<std::int64_t> shape, std::vector<T> values) {
  Values tensor{dtype, std::move(shape), std::vector<std::byte>(values.size() * sizeof(T))};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}
Values integers(std::vector<std::int64_t> shape, std::vector<std::int64_t> values) {
  return make_values(weights::DType::kInt64, std::move(shape), std::move(values));
}
Values floats(std::vector<std::int64_t> shape, std::vector<float> values) {
  return make_values(weights::DType::kFloat32, std::move(shape), std::move(values));
}

using Window = std::map<std::string, Values>;

// One row: a prompt token and two completion tokens on either side.
Window small_window() {
  Window window;
  for (const std::string side : {"student", "teacher"}) {
    std::vector<float> logits(12);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      logits[i] = std::sin(static_cast<float>(i * (side == "student" ? 1 : 2)));
    }
    window[side + "_logits.0"] = floats({3, 4}, logits);
    window[side + "_ids.0"] = integers({3}, {0, 1, 2});
    window[side + "_labels.0"] = integers({3}, {-100, 1, 2});
    window[side + "_spans.0"] = integers({3, 2}, {0, 0, 0, 1, 1, 2});
    window[side + "_eos.0"] = make_values<std::uint8_t>(weights::DType::kUInt8, {}, {0});
  }
  window["matched_ids"] = integers({2, 2}, {0, 1, 2, 3});
  return window;
}

class LossCommand : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  ProgramResult run(const Window& window, std::vector<std::string> more = {}) const {
    std::ofstream(path("gold.yaml")) << "model: {model_name: m}\ntraining: {gold: {use_uld_loss: "
                                        "true, uld_use_hybrid_loss: true}}\n";
    std::vector<weights::TensorToWrite> tensors;
    for (const auto& [name, values] : window) {
      tensors.push_back({name, values.dtype, values.shape, values.bytes});
    }
    weights::write_safetensors_file(path("in.safetensors"), tensors);
    more.insert(more.begin(), {"loss", "-c", path("gold.yaml"), "--inputs", path("in.safetensors"),
                               "--output", path("out.safetensors")});
    return run_aurum(more);
  }

  double scalar(const std::string& name) const {
    const auto file = weights::SafetensorsFile::open(path("out.safetensors"));
    double value = 0.0;
    std::memcpy(&value, file->find(name)->bytes.data(), sizeof(value));
    return value;
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(LossCommand, BothFormsWriteTheSameLoss) {
  ASSERT_EQ(run(small_window(), {"--dtype", "float64"}).exit_code, 0);
  const double plain = scalar("loss");
  EXPECT_GT(plain, 0.0);
  EXPECT_EQ(scalar("groups"), 2.0);
  const ProgramResult fused = run(small_window(), {"--form", "fused", "--chunk", "1", "--timing"});
  ASSERT_EQ(fused.exit_code, 0) << fused.err;
  EXPECT_THAT(fused.err, HasSubstr("timing {\"seconds\": "));
  EXPECT_NEAR(scalar("loss"), plain, 1e-6);
  const auto file = weights::SafetensorsFile::open(path("out.safetensors"));
  EXPECT_EQ(file->find("student_logits_grad.0")->shape, (std::vector<std::int64_t>{3, 4}));
}

TEST_F(LossCommand, SequenceLevelKdIsCrossEntropyWithoutATeacher) {
  Window window = small_window();
  std::erase_if(window, [](const auto& tensor) { return tensor.first.starts_with("teacher"); });
  window.erase("matched_ids");
  double expected = 0.0;
  for (const int position : {0, 1}) {
    double sum = 0.0;
    for (int column = 0; column < 4; ++column) {
      sum += std::exp(static_cast<double>(std::sin(static_cast<float>(4 * position + column))));
    }
    expected += (std::log(sum) - std::sin(static_cast<float>(4 * position + position + 1))) / 2;
  }
  for (const std::vector<std::string>& form :
       {std::vector<std::string>{"--dtype", "float64"}, {"--form", "fused"}}) {
    std::vector<std::string> more = form;
    more.insert(more.end(), {"--training.gold.seq_kd", "true"});
    const ProgramResult result = run(window, more);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_NEAR(scalar("loss"), expected, 1e-6);
    EXPECT_EQ(scalar("cross_entropy"), scalar("loss"));
    EXPECT_EQ(scalar("distillation"), 0.0);
    EXPECT_EQ(scalar("groups"), 0.0);
  }
  EXPECT_EQ(
      run(window, {"--training.gold.seq_kd", "true", "--training.gold.compat", "trl"}).exit_code,
      2);  // TRL ignores the flag, so the teacher is missing
}

TEST_F(LossCommand, NamesEveryTensorThatIsMissing) {
  for (const auto& [name, values] : small_window()) {
    Window window = small_window();
    window.erase(name);
    const ProgramResult result = run(window);
    EXPECT_EQ(result.exit_code, 2) << name;
    EXPECT_THAT(result.err, HasSubstr("tensor " + name + " is missing"));
  }
}

TEST_F(LossCommand, NamesTheTensorAtFault) {
  const float nan = std::nanf("");
  const std::pair<std::string, Values> faults[] = {
      {"student_logits.0", floats({3, 4}, {0, 0, 0, 0, 0, nan, 0, 0, 0, 0, 0, 0})},
      {"student_ids.0", integers({3}, {0, 1, 4})},
      {"student_ids.0", integers({2}, {0, 1})},
      {"teacher_labels.0", integers({3}, {-100, 1, 1})},
      {"teacher_spans.0", integers({3, 2}, {0, 0, 1, 2, 0, 1})},
      {"matched_ids", integers({1, 2}, {0, 4})},
      {"matched_ids", integers({2, 2}, {0, 1, 0, 2})},
      {"student_vocab_size", integers({}, {5})},
      {"student_eos.0", make_values<std::uint8_t>(weights::DType::kUInt8, {}, {2})},
      {"student_hidden.0", floats({3, 1}, {1, 2, 3})},
  };
  for (const auto& [name, values] : faults) {
    Window window = small_window();
    window[name] = values;
    const ProgramResult result = run(window);
    EXPECT_EQ(result.exit_code, 2) << name;
    EXPECT_THAT(result.err, HasSubstr("tensor " + name));
  }
}

TEST_F(LossCommand, ComputesTheFusedFormInFloat32Only) {
  const ProgramResult result = run(small_window(), {"--form", "fused", "--dtype", "float64"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--dtype float32 or --form plain"));
}

}  // namespace
}  // namespace aurum::cli

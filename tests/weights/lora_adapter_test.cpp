#include "weights/lora_adapter.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/support/temporary_folder.h"

namespace aurum::weights {
namespace {

namespace fs = std::filesystem;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;
using testing_support::TemporaryFolder;

const fs::path kGolden = fs::path(AURUM_SOURCE_DIR) / "tests/weights/golden/lora";

std::vector<float> values_of(const TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.num_values()));
  dequantize_to_float32(view, 0, values);
  return values;
}

// tools/make_lora_golden.py had peft make the adapters and merge them.
TEST(LoraAdapter, MergesAsPeftDoes) {
  for (const char* kind : {"list", "rslora", "pattern", "embedding"}) {
    SCOPED_TRACE(kind);
    const auto base = open_checkpoint(kGolden / "base");
    const auto merged = merge_adapter(base, LoraAdapter::open(kGolden / kind));
    const auto expected = SafetensorsFile::open(kGolden / kind / "merged.safetensors");
    std::size_t num_changed = 0;
    for (const TensorView& view : expected->tensors()) {
      const auto ours = values_of(merged->tensor(view.name, view.shape));
      EXPECT_THAT(ours, Pointwise(FloatNear(1e-5F), values_of(view))) << view.name;
      if (ours != values_of(base->tensor(view.name))) ++num_changed;
    }
    EXPECT_GE(num_changed, 2U);
  }
}

TEST(LoraAdapter, TellsTheTargetsOfEveryNotation) {
  LoraConfig list, all, pattern;
  list.target_modules = {"q_proj", "layers.1.mlp.up_proj"};
  all.target_pattern = "all-linear";
  pattern.target_pattern = R"(.*layers\.\d+\.mlp\.(up|gate)_proj)";
  struct Case {
    const char* module;
    bool in_list, in_all, in_pattern;
  };
  for (const Case& c : {Case{"model.layers.0.self_attn.q_proj", true, true, false},
                        Case{"model.layers.0.self_attn.xq_proj", false, true, false},
                        Case{"model.layers.1.mlp.up_proj", true, true, true},
                        Case{"model.layers.11.mlp.up_proj", false, true, true},
                        Case{"model.layers.1.mlp.up_proj.x", false, true, false},
                        Case{"lm_head", false, false, false}}) {
    EXPECT_EQ(list.targets(c.module), c.in_list) << c.module;
    EXPECT_EQ(all.targets(c.module), c.in_all) << c.module;
    EXPECT_EQ(pattern.targets(c.module), c.in_pattern) << c.module;
  }
}

TEST(LoraAdapter, LeavesOutExcludedTargets) {
  LoraConfig config;
  config.target_pattern = "all-linear";
  config.exclude_modules = {"k_proj", "1.self_attn.v_proj"};
  EXPECT_FALSE(config.targets("model.layers.0.self_attn.k_proj"));
  EXPECT_FALSE(config.targets("model.layers.1.self_attn.v_proj"));
  EXPECT_TRUE(config.targets("model.layers.0.self_attn.v_proj"));
  const LoraConfig again = parse_lora_config(lora_config_json(config), "again");
  EXPECT_EQ(again.exclude_modules, config.exclude_modules);
  config.exclude_modules.clear();
  config.exclude_pattern = R"(.*\.layers\.0\..*)";
  EXPECT_FALSE(config.targets("model.layers.0.self_attn.v_proj"));
  EXPECT_TRUE(config.targets("model.layers.1.self_attn.v_proj"));
  EXPECT_EQ(parse_lora_config(lora_config_json(config), "again").exclude_pattern,
            config.exclude_pattern);
}

TEST(LoraAdapter, ScalesByAlphaOverRank) {
  LoraConfig config;
  config.alpha = 8;
  EXPECT_DOUBLE_EQ(config.scale_of("q_proj", 4), 2.0);
  config.use_rslora = true;
  EXPECT_DOUBLE_EQ(config.scale_of("q_proj", 4), 4.0);
  config.alpha_pattern = {{R"(layers\.[01]\.q_proj)", 6.0}};
  EXPECT_DOUBLE_EQ(config.scale_of("model.layers.1.q_proj", 4), 3.0);
  EXPECT_DOUBLE_EQ(config.scale_of("model.layers.2.q_proj", 4), 4.0);
}

TEST(LoraAdapter, ReadsBackWhatItWrote) {
  LoraConfig config;
  config.rank = 1;
  config.alpha = 2.5;
  config.target_modules = {"q_proj"};
  config.base_model = "org/base";
  const std::vector<float> a = {1, 2}, b = {3, 4, 5};
  const auto to_write = [](const std::vector<float>& values, std::vector<std::int64_t> shape) {
    return TensorToWrite{"", DType::kFloat32, std::move(shape), std::as_bytes(std::span(values))};
  };
  TemporaryFolder folder;
  write_adapter(folder.path(), config,
                {{"model.layers.0.self_attn.q_proj", to_write(a, {1, 2}), to_write(b, {3, 1})}});
  const auto adapter = LoraAdapter::open(folder.path());
  EXPECT_EQ(adapter->config().base_model, "org/base");
  const LoraMatrices& matrices = adapter->matrices().at("model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(values_of(matrices.a), a);
  EXPECT_EQ(values_of(matrices.b), b);
  EXPECT_DOUBLE_EQ(matrices.scale, 2.5);
}

TEST(LoraAdapter, RefusesWhatItCannotCompute) {
  const auto message = [](const std::string& extra) {
    try {
      parse_lora_config("{\"peft_type\":\"LORA\"" + extra + "}", "adapter_config.json");
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message(",\"use_dora\":false,\"layer_replication\":null"), "no error");
  EXPECT_THAT(message(",\"use_dora\":true"), HasSubstr("/use_dora is not supported"));
  EXPECT_THAT(message(",\"r\":0"), HasSubstr("/r must"));
  EXPECT_THAT(message(",\"r\":\"x\""), HasSubstr("/r has the wrong type"));
  EXPECT_THROW(parse_lora_config("{\"peft_type\":\"IA3\"}", "c"), FormatError);
  EXPECT_THROW(parse_lora_config("[", "c"), FormatError);
}

TEST(LoraAdapter, MustFitTheModel) {
  const auto message = [](const std::string& module, std::vector<std::int64_t> b_shape) {
    TemporaryFolder folder;
    const std::vector<float> a(8), b(static_cast<std::size_t>(b_shape[0]));
    LoraTensorsToWrite layer{module,
                             {"", DType::kFloat32, {1, 8}, std::as_bytes(std::span(a))},
                             {"", DType::kFloat32, b_shape, std::as_bytes(std::span(b))}};
    write_adapter(folder.path(), {}, {layer});
    try {
      merge_adapter(open_checkpoint(kGolden / "base"), LoraAdapter::open(folder.path()));
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message("model.layers.0.self_attn.q_proj", {8, 1}), "no error");
  EXPECT_THAT(message("model.layers.0.self_attn.q_proj", {9, 1}), HasSubstr("the adapter is for"));
  EXPECT_THAT(message("model.layers.5.self_attn.q_proj", {8, 1}), HasSubstr("has no tensor"));
}

TEST(LoraAdapter, IsNotTakenForAModel) {
  try {
    open_checkpoint(kGolden / "list");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--adapter"));
  }
}

}  // namespace
}  // namespace aurum::weights

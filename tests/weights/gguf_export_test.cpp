#include "weights/gguf_export.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "tests/support/temporary_folder.h"
#include "weights/gguf.h"
#include "weights/gguf_names.h"

namespace aurum::weights {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;
using testing_support::TemporaryFolder;

std::vector<float> values_of(const TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.num_values()));
  dequantize_to_float32(view, 0, values);
  return values;
}

Json tiny_config(const std::string& model_type) {
  return {{"model_type", model_type},
          {"vocab_size", 5},
          {"hidden_size", 64},
          {"intermediate_size", 32},
          {"num_hidden_layers", 1},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"head_dim", 16},
          {"query_pre_attn_scalar", 16},
          {"sliding_window", 8},
          {"tie_word_embeddings", true},
          {"n_embd", 64},
          {"n_layer", 1},
          {"n_head", 4},
          {"n_inner", 32}};
}

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

const Shapes kLlamaShapes = {{"model.embed_tokens.weight", {5, 64}},
                             {"model.norm.weight", {64}},
                             {"model.layers.0.input_layernorm.weight", {64}},
                             {"model.layers.0.post_attention_layernorm.weight", {64}},
                             {"model.layers.0.self_attn.q_proj.weight", {64, 64}},
                             {"model.layers.0.self_attn.k_proj.weight", {32, 64}},
                             {"model.layers.0.self_attn.v_proj.weight", {32, 64}},
                             {"model.layers.0.self_attn.o_proj.weight", {64, 64}},
                             {"model.layers.0.mlp.gate_proj.weight", {32, 64}},
                             {"model.layers.0.mlp.up_proj.weight", {32, 64}},
                             {"model.layers.0.mlp.down_proj.weight", {64, 32}}};

Shapes gemma_shapes() {
  Shapes shapes = kLlamaShapes;
  for (const char* name : {"pre_feedforward_layernorm", "post_feedforward_layernorm"}) {
    shapes[std::string("model.layers.0.") + name + ".weight"] = {64};
  }
  for (const char* name : {"q_norm", "k_norm"}) {
    shapes[std::string("model.layers.0.self_attn.") + name + ".weight"] = {16};
  }
  return shapes;
}

const Shapes kGpt2Shapes = {
    {"transformer.wte.weight", {5, 64}},         {"transformer.wpe.weight", {7, 64}},
    {"transformer.ln_f.weight", {64}},           {"transformer.ln_f.bias", {64}},
    {"transformer.h.0.ln_1.weight", {64}},       {"transformer.h.0.attn.c_attn.weight", {64, 192}},
    {"transformer.h.0.attn.c_attn.bias", {192}}, {"transformer.h.0.mlp.c_proj.weight", {32, 64}}};

// A folder with one model; every weight is a different small number, exact in bfloat16.
class TinyModel {
 public:
  TinyModel(const Json& config, const Shapes& shapes) {
    write_file(folder_.path() / "config.json", config.dump());
    std::vector<TensorToWrite> tensors;
    std::size_t seed = 0;
    for (const auto& [name, shape] : shapes) {
      std::size_t count = 1;
      for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
      auto& values = contents_[name];
      for (std::size_t i = 0; i < count; ++i) {
        values.push_back(static_cast<float>((i * 37 + ++seed) % 255) / 128.0F - 1.0F);
      }
      tensors.push_back({name, DType::kFloat32, shape, std::as_bytes(std::span(values))});
    }
    write_safetensors(folder_.path(), std::move(tensors));
  }

  std::vector<float>& values(const std::string& name) { return contents_.at(name); }
  const std::map<std::string, std::vector<float>>& contents() const { return contents_; }
  std::string file() const { return (folder_.path() / "out.gguf").string(); }

  std::shared_ptr<const Checkpoint> exported(QuantizationMix mix) const {
    export_gguf(*open_checkpoint(folder_.path()), mix, {}, file());
    return open_checkpoint(file());
  }
  std::string refusal() const {
    try {
      exported(QuantizationMix::kF32);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  }

 private:
  TemporaryFolder folder_;
  std::map<std::string, std::vector<float>> contents_;
};

void expect_round_trip(const TinyModel& model, QuantizationMix mix) {
  const auto checkpoint = model.exported(mix);
  EXPECT_EQ(checkpoint->tensor_names().size(), model.contents().size());
  for (const auto& [name, values] : model.contents()) {
    EXPECT_EQ(values_of(checkpoint->tensor(name)), values) << name;
  }
}

TEST(GgufExport, GivesBackTheSameWeightsForEveryFamily) {
  for (const char* type : {"llama", "mistral", "qwen2"}) {
    SCOPED_TRACE(type);
    Json config = tiny_config(type);
    config.erase("sliding_window");
    expect_round_trip({config, kLlamaShapes}, QuantizationMix::kF32);
    expect_round_trip({config, kLlamaShapes}, QuantizationMix::kBF16);
  }
  expect_round_trip({tiny_config("gemma3_text"), gemma_shapes()}, QuantizationMix::kF32);
  expect_round_trip({tiny_config("gpt2"), kGpt2Shapes}, QuantizationMix::kF16);
}

TEST(GgufExport, StoresWhatLlamaCppExpects) {
  const TinyModel llama(tiny_config("llama"), kLlamaShapes);
  llama.exported(QuantizationMix::kF32);
  const auto file = GgufFile::open(llama.file());
  const GgufTensor* k = file->find_tensor("blk.0.attn_k.weight");
  ASSERT_NE(k, nullptr);
  const auto& original = llama.contents().at("model.layers.0.self_attn.k_proj.weight");
  float stored = 0;
  std::memcpy(&stored, k->bytes.data() + 64 * sizeof(float), sizeof stored);
  EXPECT_EQ(stored, original[8 * 64]) << "row 1 of a head of 16 is row 8 of Hugging Face's";
  EXPECT_EQ(file->string("general.architecture"), "llama");
  EXPECT_EQ(file->integer("llama.rope.dimension_count"), 16);

  const TinyModel gemma(tiny_config("gemma3_text"), gemma_shapes());
  gemma.exported(QuantizationMix::kF16);
  const auto gemma_file = GgufFile::open(gemma.file());
  const GgufTensor* norm = gemma_file->find_tensor("output_norm.weight");
  std::memcpy(&stored, norm->bytes.data(), sizeof stored);
  EXPECT_EQ(stored, 1.0F + gemma.contents().at("model.norm.weight")[0]);
  EXPECT_EQ(norm->type_name, "F32");
}

TEST(GgufExport, KeepsLlama3ScalingInItsDivisors) {
  Json config = tiny_config("llama");
  config["rope_theta"] = 5e5;
  config["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 32.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 8192}};
  const auto checkpoint = TinyModel(config, kLlamaShapes).exported(QuantizationMix::kF32);
  const RopeConfig& rope = checkpoint->config().rope;
  EXPECT_EQ(rope.kind, RopeKind::kLlama3);
  EXPECT_EQ(rope.factor, 32.0);
}

TEST(GgufExport, RefusesWhatLlamaCppWouldComputeDifferently) {
  const auto refusal = [](const char* type, const char* key, const Json& value) {
    Json config = tiny_config(type);
    config[key] = value;
    return TinyModel(config, std::string(type).starts_with("gemma") ? gemma_shapes() : kLlamaShapes)
        .refusal();
  };
  EXPECT_THAT(refusal("llama", "hidden_act", "gelu_pytorch_tanh"), HasSubstr("activation"));
  EXPECT_THAT(refusal("gemma3_text", "query_pre_attn_scalar", 32), HasSubstr("scales attention"));
  EXPECT_THAT(refusal("gemma3_text", "rope_local_base_freq", 2e4), HasSubstr("10000"));
  EXPECT_THAT(refusal("gemma3_text", "layer_types", {"full_attention"}), HasSubstr("in 6"));
  EXPECT_THAT(refusal("smollm3", "no_rope_layers", {0}), HasSubstr("without positions"));
  EXPECT_THAT(refusal("llama", "rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2.0}}),
              HasSubstr("dynamic"));
  EXPECT_THAT(refusal("llama", "rope_scaling",
                      {{"rope_type", "yarn"}, {"factor", 2.0}, {"beta_fast", 16.0}}),
              HasSubstr("yarn"));
}

TEST(GgufExport, RefusesWeightsThatAreNotFinite) {
  TinyModel model(tiny_config("llama"), kLlamaShapes);
  const std::vector<float> bad(64 * 64, std::numeric_limits<float>::quiet_NaN());
  TemporaryFolder folder;
  write_file(folder.path() / "config.json", tiny_config("llama").dump());
  write_safetensors(
      folder.path(),
      {{"model.layers.0.self_attn.v_proj.weight",
        DType::kFloat32,
        {64, 64},
        std::as_bytes(std::span(bad))},
       {"model.embed_tokens.weight", DType::kFloat32, {64, 64}, std::as_bytes(std::span(bad))}});
  const auto out = folder.path() / "out.gguf";
  EXPECT_THROW(
      export_gguf(*open_checkpoint(folder.path()), QuantizationMix::kQ8_0, {}, out.string()),
      FormatError);
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(GgufNames, AreUndoneByTheWayBack) {
  for (const char* type : {"llama", "gemma3_text", "gpt2"}) {
    const ModelConfig config = parse_model_config(tiny_config(type).dump(), "config.json");
    const Shapes shapes = type == std::string("gpt2")    ? kGpt2Shapes
                          : type == std::string("llama") ? kLlamaShapes
                                                         : gemma_shapes();
    for (const auto& entry : shapes) {
      const auto gguf = gguf_name(entry.first, config);
      ASSERT_TRUE(gguf.has_value()) << entry.first;
      EXPECT_EQ(hugging_face_name(*gguf, config), entry.first);
    }
    EXPECT_EQ(gguf_name("vision_tower.weight", config), std::nullopt);
  }
}

// What llama.cpp chose for Gemma 3 270M and Qwen2.5 1.5B.
TEST(QuantizationMix, ChoosesTheTypesOfLlamaCpp) {
  struct Case {
    const char* name;
    std::vector<std::int64_t> shape;
    bool tied;
    std::int64_t layers;
    DType q4_k_m;
  };
  const std::vector<Case> cases = {
      {"token_embd.weight", {262144, 640}, true, 18, DType::kQ8_0},
      {"blk.0.attn_q.weight", {1024, 640}, true, 18, DType::kQ5_0},
      {"blk.0.attn_v.weight", {256, 640}, true, 18, DType::kQ8_0},
      {"blk.2.attn_v.weight", {256, 640}, true, 18, DType::kQ5_0},
      {"blk.4.ffn_down.weight", {640, 2048}, true, 18, DType::kQ6_K},
      {"blk.3.ffn_down.weight", {640, 2048}, true, 18, DType::kQ4_K},
      {"blk.0.attn_output.weight", {640, 1024}, true, 18, DType::kQ4_K},
      {"token_embd.weight", {151936, 1536}, false, 28, DType::kQ4_K},
      {"output.weight", {151936, 1536}, false, 28, DType::kQ6_K},
      {"token_embd.weight", {1000, 256}, true, 28, DType::kQ6_K},
      {"blk.27.attn_v.weight", {256, 1536}, false, 28, DType::kQ6_K},
      {"blk.4.attn_v.weight", {256, 1536}, false, 28, DType::kQ4_K},
      {"blk.9.attn_v.weight", {1024, 8192}, false, 80, DType::kQ6_K},
      {"blk.10.attn_v.weight", {1024, 8192}, false, 80, DType::kQ5_K},
      {"blk.10.attn_v.weight", {1024, 8224}, false, 80, DType::kQ5_1},
      {"blk.0.attn_q.weight", {16, 24}, false, 28, DType::kFloat16},
      {"blk.0.attn_q.bias", {1536}, false, 28, DType::kFloat32},
      {"blk.0.attn_q_norm.weight", {16, 256}, false, 28, DType::kFloat32},
      {"position_embd.weight", {1024, 768}, true, 12, DType::kFloat32}};
  for (const Case& c : cases) {
    ModelConfig config;
    config.num_layers = c.layers;
    config.tie_word_embeddings = c.tied;
    EXPECT_EQ(stored_type(QuantizationMix::kQ4_K_M, c.name, c.shape, config), c.q4_k_m)
        << c.name << ' ' << c.layers;
  }
  ModelConfig config;
  const std::vector<std::int64_t> shape = {512, 512};
  EXPECT_EQ(stored_type(QuantizationMix::kQ4_0, "output.weight", shape, config), DType::kQ6_K);
  EXPECT_EQ(stored_type(QuantizationMix::kQ8_0, "output.weight", shape, config), DType::kQ8_0);
  EXPECT_EQ(stored_type(QuantizationMix::kQ4_0, "blk.0.ffn_up.weight", shape, config),
            DType::kQ4_0);
}

}  // namespace
}  // namespace aurum::weights

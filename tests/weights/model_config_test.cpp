#include "weights/model_config.h"

#include <cmath>
#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace aurum::weights {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

Json base(const std::string& model_type) {
  return {{"model_type", model_type}, {"vocab_size", 32},
          {"hidden_size", 16},        {"intermediate_size", 24},
          {"num_hidden_layers", 6},   {"num_attention_heads", 4},
          {"num_key_value_heads", 2}, {"max_position_embeddings", 64}};
}

ModelConfig parse(const Json& json) { return parse_model_config(json.dump(), "config.json"); }

std::string message(const Json& json) {
  try {
    parse(json);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ModelConfig, LlamaDefaults) {
  const ModelConfig config = parse(base("llama"));
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_EQ(config.norm_eps, 1e-6);
  EXPECT_DOUBLE_EQ(config.attention_scale, 0.5);
  EXPECT_FALSE(config.tie_word_embeddings || config.qkv_bias || config.qk_norm);
  EXPECT_EQ(config.rope.theta, 10000.0);
  EXPECT_THAT(config.sliding_window, ElementsAre(0, 0, 0, 0, 0, 0));
}

TEST(ModelConfig, BothRopeDialectsMeanTheSame) {
  Json old_style = base("llama"), new_style = base("llama");
  old_style["rope_theta"] = 5e5;
  old_style["rope_scaling"] = {{"type", "llama3"},
                               {"factor", 8.0},
                               {"low_freq_factor", 1.0},
                               {"high_freq_factor", 4.0},
                               {"original_max_position_embeddings", 32}};
  new_style["rope_parameters"] = {{"rope_type", "llama3"},
                                  {"rope_theta", 5e5},
                                  {"factor", 8.0},
                                  {"original_max_position_embeddings", 32}};
  for (const Json& json : {old_style, new_style}) {
    const RopeConfig rope = parse(json).rope;
    EXPECT_EQ(rope.kind, RopeKind::kLlama3);
    EXPECT_EQ(rope.theta, 5e5);
    EXPECT_EQ(rope.factor, 8.0);
    EXPECT_EQ(rope.original_max_position_embeddings, 32);
  }
}

TEST(ModelConfig, QwenFamilies) {
  const ModelConfig qwen2 = parse(base("qwen2"));
  EXPECT_TRUE(qwen2.qkv_bias);
  EXPECT_FALSE(qwen2.output_bias);
  const ModelConfig qwen3 = parse(base("qwen3"));
  EXPECT_EQ(qwen3.head_dim, 128);
  EXPECT_TRUE(qwen3.qk_norm);
  Json windowed = base("qwen2");
  windowed["use_sliding_window"] = true;
  windowed["sliding_window"] = 8;
  windowed["max_window_layers"] = 4;
  EXPECT_THAT(parse(windowed).sliding_window, ElementsAre(0, 0, 0, 0, 8, 8));
}

TEST(ModelConfig, GemmaLayersAlternate) {
  Json json = base("gemma3_text");
  json["sliding_window"] = 8;
  json["query_pre_attn_scalar"] = 64;
  json["attn_logit_softcapping"] = 50.0;
  const ModelConfig gemma3 = parse(json);
  EXPECT_THAT(gemma3.sliding_window, ElementsAre(8, 8, 8, 8, 8, 0));
  EXPECT_EQ(gemma3.rope.theta, 1e6);
  ASSERT_TRUE(gemma3.sliding_rope.has_value());
  EXPECT_EQ(gemma3.sliding_rope->theta, 1e4);
  EXPECT_DOUBLE_EQ(gemma3.attention_scale, 0.125);
  EXPECT_EQ(gemma3.head_dim, 256);
  EXPECT_FALSE(gemma3.attention_softcap.has_value());
  EXPECT_TRUE(gemma3.norm_adds_one && gemma3.post_norms && gemma3.scale_embedding &&
              gemma3.tie_word_embeddings);
  json["model_type"] = "gemma2";
  const ModelConfig gemma2 = parse(json);
  EXPECT_THAT(gemma2.sliding_window, ElementsAre(8, 0, 8, 0, 8, 0));
  EXPECT_EQ(gemma2.attention_softcap, 50.0);
  EXPECT_EQ(gemma2.final_logit_softcap, 30.0);
}

TEST(ModelConfig, SmolLm3LeavesOutEveryFourthRotation) {
  EXPECT_THAT(parse(base("smollm3")).uses_rope, ElementsAre(true, true, true, false, true, true));
}

TEST(ModelConfig, EosMayBeAList) {
  Json json = base("llama");
  json["eos_token_id"] = {1, 2};
  json["bos_token_id"] = 3;
  const ModelConfig config = parse(json);
  EXPECT_THAT(config.eos_token_ids, ElementsAre(1, 2));
  EXPECT_EQ(config.bos_token_id, 3);
}

TEST(ModelConfig, ErrorsNameTheKeyAndWhatIsSupported) {
  EXPECT_THAT(message(base("mamba")), HasSubstr("supported: llama"));
  Json json = base("llama");
  json["hidden_act"] = "relu";
  EXPECT_THAT(message(json), HasSubstr("/hidden_act is relu"));
  json = base("llama");
  json["vocab_size"] = "many";
  EXPECT_THAT(message(json), HasSubstr("/vocab_size must be a whole number"));
  json = base("llama");
  json["num_key_value_heads"] = 3;
  EXPECT_THAT(message(json), HasSubstr("must divide"));
  json = base("llama");
  json["rope_scaling"] = {{"rope_type", "spiral"}};
  EXPECT_THAT(message(json), HasSubstr("/rope_scaling/rope_type is spiral"));
  json = base("llama");
  json.erase("hidden_size");
  EXPECT_THAT(message(json), HasSubstr("/hidden_size is missing"));
  EXPECT_THROW(parse_model_config("[", "config.json"), FormatError);
}

TEST(ModelConfig, ReadsWhichLayersAreSparse) {
  const ModelConfig config = parse_model_config(
      R"({"model_type": "qwen3_moe", "vocab_size": 9, "hidden_size": 8, "intermediate_size": 8,
          "num_hidden_layers": 4, "num_attention_heads": 2, "num_experts": 6,
          "num_experts_per_tok": 2, "decoder_sparse_step": 2, "mlp_only_layers": [3]})",
      "config.json");
  EXPECT_EQ(config.experts->is_sparse, (std::vector<bool>{false, true, false, false}));
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_TRUE(config.experts->softmax_before_top_k);
}

TEST(ModelConfig, GivesGptOssItsYarnSinksAndAlternatingWindows) {
  const ModelConfig config = parse_model_config(
      R"({"model_type": "gpt_oss", "vocab_size": 9, "hidden_size": 8, "intermediate_size": 8,
          "num_hidden_layers": 2, "num_attention_heads": 2, "num_local_experts": 4,
          "quantization_config": {"quant_method": "mxfp4"}})",
      "config.json");
  EXPECT_EQ(config.sliding_window, (std::vector<std::int64_t>{128, 0}));
  EXPECT_EQ(config.rope.kind, RopeKind::kYarn);
  EXPECT_FALSE(config.rope.truncate);
  EXPECT_TRUE(config.attention_sinks && config.norm_rounds_last && config.qkv_bias);
}

}  // namespace
}  // namespace aurum::weights

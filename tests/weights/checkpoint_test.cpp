#include "weights/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/support/temporary_folder.h"
#include "tests/weights/gguf_builder.h"

namespace aurum::weights {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::GgufBuilder;
using testing_support::TemporaryFolder;

std::vector<float> values_of(const TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.num_values()));
  dequantize_to_float32(view, 0, values);
  return values;
}

// One layer, 2 query heads and 1 key head of 4; the tensors that matter to a test come on top.
GgufBuilder tiny(const std::string& architecture) {
  GgufBuilder builder;
  builder.text("general.architecture", architecture)
      .u32(architecture + ".embedding_length", 2)
      .u32(architecture + ".block_count", 1)
      .u32(architecture + ".feed_forward_length", 3)
      .u32(architecture + ".context_length", 64)
      .u32(architecture + ".attention.head_count", 2)
      .u32(architecture + ".attention.head_count_kv", 1)
      .u32(architecture + ".attention.key_length", 4)
      .f32(architecture + ".attention.layer_norm_rms_epsilon", 1e-6F)
      .u32("tokenizer.ggml.eos_token_id", 2)
      .u32("tokenizer.ggml.eot_token_id", 3)
      .floats("token_embd.weight", {3, 2}, {1, 2, 3, 4, 5, 6});
  return builder;
}

TEST(GgufCheckpoint, UndoesTheRowPermutationOfLlama) {
  TemporaryFolder folder;
  std::vector<float> q(16), k(8);
  for (std::size_t i = 0; i < q.size(); ++i) q[i] = static_cast<float>(i);
  for (std::size_t i = 0; i < k.size(); ++i) k[i] = static_cast<float>(i);
  const auto builder = tiny("llama")
                           .floats("blk.0.attn_q.weight", {8, 2}, q)
                           .floats("blk.0.attn_k.weight", {4, 2}, k);
  const auto checkpoint = open_checkpoint(builder.write(folder.path() / "m.gguf"));
  // Stored rows 0 1 2 3 of a head are rows 0 2 1 3 of Hugging Face's.
  EXPECT_THAT(values_of(checkpoint->tensor("model.layers.0.self_attn.k_proj.weight")),
              ElementsAre(0, 1, 4, 5, 2, 3, 6, 7));
  EXPECT_THAT(values_of(checkpoint->tensor("model.layers.0.self_attn.q_proj.weight")),
              ElementsAre(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
  EXPECT_TRUE(checkpoint->config().tie_word_embeddings);
  EXPECT_THAT(checkpoint->config().eos_token_ids, ElementsAre(2, 3));
}

TEST(GgufCheckpoint, SaysWhatPagesAReaderCanGiveBack) {
  TemporaryFolder folder;
  const auto builder = tiny("llama").floats("blk.0.attn_q.weight", {8, 2}, std::vector<float>(16));
  const auto checkpoint = open_checkpoint(builder.write(folder.path() / "m.gguf"));
  const TensorView embedding = checkpoint->tensor("model.embed_tokens.weight");
  ASSERT_NE(embedding.file, nullptr);
  const auto file = embedding.file->bytes();
  EXPECT_GE(embedding.bytes.data(), file.data());
  EXPECT_LE(embedding.bytes.data() + embedding.bytes.size(), file.data() + file.size());
  EXPECT_EQ(checkpoint->tensor("model.layers.0.self_attn.q_proj.weight").file, nullptr);  // moved
}

TEST(GgufCheckpoint, GemmaNormsLoseTheirOneAndGetTheirNames) {
  TemporaryFolder folder;
  const auto builder = tiny("gemma3")
                           .floats("blk.0.ffn_norm.weight", {2}, {1.5F, 0.0F})
                           .floats("blk.0.post_ffw_norm.weight", {2}, {1.0F, 2.0F})
                           .floats("blk.0.attn_q.weight", {8, 2}, std::vector<float>(16, 1.0F));
  const auto checkpoint = open_checkpoint(builder.write(folder.path() / "m.gguf"));
  EXPECT_THAT(values_of(checkpoint->tensor("model.layers.0.pre_feedforward_layernorm.weight")),
              ElementsAre(0.5F, -1.0F));
  EXPECT_TRUE(checkpoint->contains("model.layers.0.post_feedforward_layernorm.weight"));
  EXPECT_EQ(checkpoint->config().model_type, "gemma3_text");
}

std::vector<float> llama3_divisors(double low) {
  std::vector<float> divisors;
  for (int i = 0; i < 64; ++i) {
    const double wavelength = 2 * std::numbers::pi * std::pow(5e5, i / 64.0);
    const double smooth = std::clamp((8192 / wavelength - low) / (4 - low), 0.0, 1.0);
    divisors.push_back(static_cast<float>(1 / ((1 - smooth) / 32 + smooth)));
  }
  return divisors;
}

TEST(GgufCheckpoint, RecoversLlama3ScalingFromItsDivisors) {
  for (const double low : {1.0, 1.5}) {
    TemporaryFolder folder;
    const auto builder = tiny("llama")
                             .f32("llama.rope.freq_base", 5e5F)
                             .floats("rope_freqs.weight", {64}, llama3_divisors(low));
    const auto checkpoint = open_checkpoint(builder.write(folder.path() / "m.gguf"));
    const RopeConfig& rope = checkpoint->config().rope;
    if (low == 1.0) {
      EXPECT_EQ(rope.kind, RopeKind::kLlama3);
      EXPECT_EQ(rope.factor, 32.0);
      EXPECT_EQ(rope.original_max_position_embeddings, 8192);
      EXPECT_TRUE(rope.frequency_divisors.empty());
    } else {
      EXPECT_EQ(rope.kind, RopeKind::kDefault);
      EXPECT_EQ(rope.frequency_divisors.size(), 64U);
    }
  }
}

TEST(GgufCheckpoint, RefusesTypesItCannotExpandByName) {
  TemporaryFolder folder;
  const auto path =
      tiny("llama").tensor("blk.0.ffn_up.weight", {256}, 23, "").write(folder.path() / "m.gguf");
  try {
    open_checkpoint(path);
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("IQ4_XS"));
  }
}

class FolderCheckpointTest : public ::testing::Test {
 protected:
  void write_config(const std::string& extra = "") {
    write_file(folder_.path() / "config.json",
               "{\"model_type\":\"llama\",\"vocab_size\":3,\"hidden_size\":2,"
               "\"intermediate_size\":2,\"num_hidden_layers\":1,\"num_attention_heads\":1" +
                   extra + "}");
  }
  TensorToWrite tensor(const std::string& name) const {
    return {name, DType::kFloat32, {3, 2}, std::as_bytes(std::span(values_))};
  }
  std::string message() const {
    try {
      open_checkpoint(folder_.path());
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  std::vector<float> values_ = {1, 2, 3, 4, 5, 6};
};

TEST_F(FolderCheckpointTest, BaseModelNamesGetThePrefixAndTheHeadIsTied) {
  write_config();
  write_safetensors(folder_.path(), {tensor("embed_tokens.weight"),
                                     tensor("layers.0.self_attn.rotary_emb.inv_freq")});
  write_file(folder_.path() / "generation_config.json", "{\"eos_token_id\":[1,2]}");
  const auto checkpoint = open_checkpoint(folder_.path());
  EXPECT_THAT(checkpoint->tensor_names(), ElementsAre("model.embed_tokens.weight"));
  EXPECT_TRUE(checkpoint->config().tie_word_embeddings);
  EXPECT_THAT(checkpoint->config().eos_token_ids, ElementsAre(1, 2));
  EXPECT_THROW(checkpoint->tensor("model.embed_tokens.weight", {{2, 3}}), FormatError);
}

TEST_F(FolderCheckpointTest, TheTieFlagWinsOverAStoredHead) {
  write_config(",\"tie_word_embeddings\":true");
  write_safetensors(folder_.path(),
                    {tensor("model.embed_tokens.weight"), tensor("lm_head.weight")});
  EXPECT_FALSE(open_checkpoint(folder_.path())->contains("lm_head.weight"));
  write_config(",\"tie_word_embeddings\":false");
  EXPECT_TRUE(open_checkpoint(folder_.path())->contains("lm_head.weight"));
}

TEST_F(FolderCheckpointTest, ReadsShardsAndRefusesPathsInTheIndex) {
  write_config();
  write_safetensors(folder_.path(), {tensor("model.embed_tokens.weight"), tensor("lm_head.weight")},
                    24);
  EXPECT_EQ(open_checkpoint(folder_.path())->tensor_names().size(), 2U);
  const auto index = folder_.path() / "model.safetensors.index.json";
  write_file(index, "{\"weight_map\":{\"a\":\"../x.safetensors\"}}");
  EXPECT_THAT(message(), HasSubstr("not a file name"));
  write_file(index, "{\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\"}}");
  EXPECT_THAT(message(), HasSubstr("tensor a is missing"));
  write_file(index, "{\"weight_map\":{\"a\":\"model-00003-of-00003.safetensors\"}}");
  EXPECT_THAT(message(), HasSubstr("model-00003-of-00003.safetensors: is missing, and "));
}

TEST_F(FolderCheckpointTest, SaysWhatAFolderLacks) {
  EXPECT_THAT(message(), HasSubstr("without config.json"));
  write_config();
  EXPECT_THAT(message(), HasSubstr("no model.safetensors"));
  write_file(folder_.path() / "pytorch_model.bin", "x");
  EXPECT_THAT(message(), HasSubstr("pytorch_model.bin is not supported"));
}

// Every value of both halves of a byte, under the scales of a random model.
TEST(FolderCheckpoint, ExpandsMxfp4AsTransformers) {
  const std::string folder = std::string(AURUM_SOURCE_DIR) + "/tests/golden/model/gpt_oss_mxfp4";
  const auto checkpoint = open_checkpoint(folder);
  const auto expected = SafetensorsFile::open(folder + "/dequantized.safetensors");
  const auto values_of = [](const TensorView& view) {
    std::vector<float> values(static_cast<std::size_t>(view.num_values()));
    dequantize_to_float32(view, 0, values);
    return values;
  };
  for (const auto& [matrix, stack, first, step] :
       {std::tuple{"gate_proj", "gate_up_proj", 0, 2}, std::tuple{"up_proj", "gate_up_proj", 1, 2},
        std::tuple{"down_proj", "down_proj", 0, 1}}) {
    const std::string prefix = "model.layers.0.mlp.experts.";
    const TensorView* all = expected->find(prefix + stack);  // [experts, in, out]
    ASSERT_NE(all, nullptr);
    const std::vector<float> theirs = values_of(*all);
    const std::int64_t in = all->shape[1], out = all->shape[2];
    for (std::int64_t expert = 0; expert < all->shape[0]; ++expert) {
      const TensorView ours =
          checkpoint->tensor(fmt::format("{}{}.{}.weight", prefix, expert, matrix));
      const std::vector<float> values = values_of(ours);
      ASSERT_EQ(ours.shape, (std::vector<std::int64_t>{out / step, in}));
      for (std::int64_t i = 0; i < ours.num_values(); ++i) {
        const std::int64_t row = first + i / in * step, column = i % in;
        ASSERT_EQ(values[static_cast<std::size_t>(i)],
                  theirs[static_cast<std::size_t>((expert * in + column) * out + row)])
            << matrix << ' ' << i;
      }
    }
  }
}

}  // namespace
}  // namespace aurum::weights

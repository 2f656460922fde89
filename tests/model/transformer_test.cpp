#include <map>
#include <random>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/causal_lm.h"

namespace aurum::model {
namespace {

using weights::TensorView;

// A checkpoint of random float32 tensors that lives in memory.
class RandomCheckpoint : public weights::Checkpoint {
 public:
  RandomCheckpoint() {
    config_.model_type = "qwen2";
    config_.vocab_size = 11;
    config_.hidden_size = 8;
    config_.intermediate_size = 12;
    config_.num_layers = 2;
    config_.num_heads = 4;
    config_.num_kv_heads = 2;
    config_.head_dim = 4;
    config_.attention_scale = 0.5;
    config_.tie_word_embeddings = true;
    config_.sliding_window = {0, 3};
    config_.uses_rope = {true, true};
    add("model.embed_tokens.weight", {11, 8});
    add("model.norm.weight", {8});
    for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
      add(layer + "input_layernorm.weight", {8});
      add(layer + "post_attention_layernorm.weight", {8});
      add(layer + "self_attn.q_proj.weight", {16, 8});
      add(layer + "self_attn.q_proj.bias", {16});
      add(layer + "self_attn.k_proj.weight", {8, 8});
      add(layer + "self_attn.k_proj.bias", {8});
      add(layer + "self_attn.v_proj.weight", {8, 8});
      add(layer + "self_attn.v_proj.bias", {8});
      add(layer + "self_attn.o_proj.weight", {8, 16});
      add(layer + "mlp.gate_proj.weight", {12, 8});
      add(layer + "mlp.up_proj.weight", {12, 8});
      add(layer + "mlp.down_proj.weight", {8, 12});
    }
  }

  const weights::ModelConfig& config() const override { return config_; }
  const std::filesystem::path& path() const override { return path_; }
  std::vector<std::string> tensor_names() const override { return {}; }
  bool contains(std::string_view name) const override { return data_.contains(std::string(name)); }
  TensorView tensor(std::string_view name,
                    std::optional<std::vector<std::int64_t>> shape) const override {
    const auto& values = data_.at(std::string(name));
    return {.name = std::string(name),
            .dtype = weights::DType::kFloat32,
            .shape = *shape,
            .bytes = std::as_bytes(std::span(values))};
  }

 private:
  void add(const std::string& name, const std::vector<std::int64_t>& shape) {
    std::int64_t size = 1;
    for (const std::int64_t d : shape) size *= d;
    std::normal_distribution<float> normal(0.0F, 0.5F);
    auto& values = data_[name];
    for (std::int64_t i = 0; i < size; ++i) values.push_back(normal(generator_));
  }

  std::mt19937 generator_{3};
  weights::ModelConfig config_;
  std::filesystem::path path_ = "memory";
  std::map<std::string, std::vector<float>> data_;
};

std::unique_ptr<CausalLm> load(bool trainable) {
  return load_causal_lm(RandomCheckpoint(),
                        {.dtype = ComputeDType::kFloat32, .trainable = trainable});
}

PackedBatch batch_of(const std::vector<std::vector<std::int32_t>>& rows) {
  PackedBatch batch;
  for (const auto& row : rows) batch.add_row(row);
  return batch;
}

TEST(Transformer, PackedRowsDoNotSeeEachOther) {
  const auto model = load(false);
  const std::vector<std::int32_t> a = {1, 5, 2, 9, 4, 3}, b = {7, 7, 0};
  const at::Tensor packed = model->hidden_states(batch_of({a, b}));
  EXPECT_TRUE(packed.slice(0, 0, 6).allclose(model->hidden_states(batch_of({a})), 1e-5, 1e-6));
  EXPECT_TRUE(packed.slice(0, 6, 9).allclose(model->hidden_states(batch_of({b})), 1e-5, 1e-6));
}

TEST(Transformer, IsCausal) {
  const auto model = load(false);
  const at::Tensor longer = model->hidden_states(batch_of({{1, 5, 2, 9, 4}}));
  const at::Tensor shorter = model->hidden_states(batch_of({{1, 5, 2}}));
  EXPECT_TRUE(longer.slice(0, 0, 3).allclose(shorter, 1e-5, 1e-6));
}

std::vector<at::Tensor> gradients(bool checkpointing) {
  const auto model = load(true);
  model->set_gradient_checkpointing(checkpointing);
  model->logits(model->hidden_states(batch_of({{1, 5, 2, 9, 4}, {3, 3}}))).pow(2).sum().backward();
  std::vector<at::Tensor> all;
  for (const NamedParameter& parameter : model->parameters())
    all.push_back(parameter.tensor->grad().clone());
  return all;
}

TEST(Transformer, CheckpointingKeepsEveryGradient) {
  const auto plain = gradients(false), recomputed = gradients(true);
  ASSERT_EQ(plain.size(), recomputed.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    ASSERT_TRUE(plain[i].defined());
    EXPECT_TRUE(plain[i].allclose(recomputed[i], 1e-5, 1e-6)) << i;
  }
}

TEST(Transformer, RefusesIdsOutsideTheVocabulary) {
  EXPECT_ANY_THROW(load(false)->hidden_states(batch_of({{1, 11}})));
}

}  // namespace
}  // namespace aurum::model

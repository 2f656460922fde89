// Adapters against plain autograd in float64 on W + scale B A, and against the merged model.

#include "model/layers/low_rank.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/causal_lm.h"
#include "model/layers/linear.h"
#include "tests/support/golden_model.h"
#include "tests/support/temporary_folder.h"
#include "weights/lora_adapter.h"
#include "weights/quantize.h"

namespace aurum::model {
namespace {

using testing_support::GoldenModel;
using weights::TensorView;

constexpr std::int64_t kColumns = 64, kTokens = 7;
const std::vector<std::int64_t> kRows = {6, 4, 5};  // of three matrices in one product

// The largest difference relative to the largest expected value.
double distance(const at::Tensor& ours, const at::Tensor& expected) {
  const at::Tensor wide = expected.to(at::kDouble);
  return ((ours.to(at::kDouble) - wide).abs().max() / wide.abs().max().clamp_min(1e-30))
      .item<double>();
}

enum class Store { kDense, kInputMajor, kBlocks };

TensorView quantized(const at::Tensor& matrix) {
  auto bytes = std::make_shared<std::vector<std::byte>>(
      static_cast<std::size_t>(matrix.numel()) / weights::block_values(weights::DType::kQ8_0) *
      weights::block_bytes(weights::DType::kQ8_0));
  const at::Tensor dense = matrix.contiguous();
  weights::quantize(weights::DType::kQ8_0,
                    {dense.const_data_ptr<float>(), static_cast<std::size_t>(dense.numel())},
                    *bytes);
  return {.name = "w",
          .dtype = weights::DType::kQ8_0,
          .shape = matrix.sizes().vec(),
          .bytes = *bytes,
          .keep_alive = bytes};
}

// Three matrices over each other; the first and the third have adapters of unlike ranks.
Linear make_linear(Store store, const std::shared_ptr<const AdapterDropout>& dropout,
                   std::uint64_t seed = 1) {
  at::manual_seed(seed);
  Linear linear;
  const at::Tensor weight = at::randn({15, kColumns});
  linear.bias = at::randn({15});
  if (store == Store::kDense) linear.weight = weight;
  if (store == Store::kInputMajor) linear.weight = weight.t().contiguous();
  linear.input_major = store == Store::kInputMajor;
  std::int64_t row = 0;
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    const std::int64_t end = row + kRows[i], rank = static_cast<std::int64_t>(i) + 2;
    if (store == Store::kBlocks) linear.blocks.push_back(quantized(weight.slice(0, row, end)));
    if (i != 1) {
      linear.low_rank.push_back({.module = "matrix" + std::to_string(i),
                                 .begin = row,
                                 .end = end,
                                 .a = at::randn({rank, kColumns}).requires_grad_(true),
                                 .b = at::randn({kRows[i], rank}).requires_grad_(true),
                                 .scale = 0.75 + static_cast<double>(i),
                                 .dropout = dropout});
    }
    row = end;
  }
  return linear;
}

// The [out, in] weight as it counts.
at::Tensor dense_weight(const Linear& linear) {
  if (linear.blocks.empty()) return linear.input_major ? linear.weight.t() : linear.weight;
  std::vector<at::Tensor> parts;
  for (const TensorView& view : linear.blocks) parts.push_back(expand(view, at::kFloat));
  return at::cat(parts);
}

struct Plain {
  at::Tensor y, dx;
  std::vector<at::Tensor> da, db;
};

// The definition in float64, by autograd.
Plain run_plainly(const Linear& linear, const at::Tensor& input, const at::Tensor& dy) {
  const auto leaf = [](const at::Tensor& tensor) {
    return tensor.detach().to(at::kDouble).requires_grad_(true);
  };
  Plain result;
  const at::Tensor x = leaf(input);
  at::Tensor y = at::linear(x, dense_weight(linear).to(at::kDouble), linear.bias.to(at::kDouble));
  std::vector<at::Tensor> as, bs;
  for (const LowRank& part : linear.low_rank) {
    as.push_back(leaf(part.a));
    bs.push_back(leaf(part.b));
    const at::Tensor mask = dropout_mask(*part.dropout, part.module, input);
    const at::Tensor dropped = mask.defined() ? x * mask.to(at::kDouble) : x;
    const at::Tensor added = dropped.mm(as.back().t()).mm(bs.back().t()) * part.scale;
    y = y + at::constant_pad_nd(added, {part.begin, y.size(1) - part.end});
  }
  result.y = y;
  y.backward(dy.to(at::kDouble));
  result.dx = x.grad();
  for (const at::Tensor& a : as) result.da.push_back(a.grad());
  for (const at::Tensor& b : bs) result.db.push_back(b.grad());
  return result;
}

class AdaptedLinear : public ::testing::TestWithParam<std::tuple<Store, double>> {};

TEST_P(AdaptedLinear, HasTheGradientsOfItsDefinition) {
  const auto [store, probability] = GetParam();
  const auto dropout = std::make_shared<const AdapterDropout>(
      AdapterDropout{.probability = probability, .seed = 5, .draw = 3});
  const Linear linear = make_linear(store, dropout);
  const at::Tensor input = at::randn({kTokens, kColumns}), dy = at::randn({kTokens, 15});
  const Plain plain = run_plainly(linear, input, dy);
  const at::Tensor x = input.clone().requires_grad_(true);
  const at::Tensor y = linear(x);
  make_linear(store, dropout, 2)(input);  // overwrites the scratch memory
  y.backward(dy);
  EXPECT_LT(distance(y.detach(), plain.y), 1e-6);
  EXPECT_LT(distance(x.grad(), plain.dx), 1e-6);
  for (std::size_t i = 0; i < linear.low_rank.size(); ++i) {
    EXPECT_LT(distance(linear.low_rank[i].a.grad(), plain.da[i]), 1e-6) << i;
    EXPECT_LT(distance(linear.low_rank[i].b.grad(), plain.db[i]), 1e-6) << i;
  }
  const c10::NoGradGuard no_grad;
  EXPECT_TRUE(linear(input).equal(y));
}

INSTANTIATE_TEST_SUITE_P(Stores, AdaptedLinear,
                         ::testing::Combine(::testing::Values(Store::kDense, Store::kInputMajor,
                                                              Store::kBlocks),
                                            ::testing::Values(0.0, 0.3)));

TEST(FrozenLinear, GivesGradientsThroughBlocksWithoutAnAdapter) {
  Linear linear = make_linear(Store::kBlocks, std::make_shared<const AdapterDropout>());
  linear.low_rank.clear();
  const at::Tensor input = at::randn({kTokens, kColumns}), dy = at::randn({kTokens, 15});
  const at::Tensor x = input.clone().requires_grad_(true);
  const at::Tensor y = linear(x);
  make_linear(Store::kBlocks, std::make_shared<const AdapterDropout>(), 2)(input);
  y.backward(dy);
  EXPECT_LT(distance(x.grad(), run_plainly(linear, input, dy).dx), 1e-6);
}

TEST(AdapterDropout, DropsTheGivenShareAndKeepsTheMean) {
  const AdapterDropout dropout{.probability = 0.25, .seed = 1, .draw = 7};
  const at::Tensor x = at::ones({300, 101});
  const at::Tensor mask = dropout_mask(dropout, "q_proj", x);
  EXPECT_NEAR((mask == 0).to(at::kFloat).mean().item<double>(), 0.25, 0.01);
  EXPECT_NEAR(mask.mean().item<double>(), 1.0, 0.02);
  EXPECT_TRUE(mask.equal(dropout_mask(dropout, "q_proj", x)));
  EXPECT_FALSE(mask.equal(dropout_mask(dropout, "v_proj", x)));
  AdapterDropout next = dropout;
  next.draw = 8;
  EXPECT_FALSE(mask.equal(dropout_mask(next, "q_proj", x)));
  next.draw.reset();
  EXPECT_FALSE(dropout_mask(next, "q_proj", x).defined());
}

// --- whole models ---

AdapterOptions all_linear() {
  AdapterOptions options{.seed = 3};
  options.config.rank = 2;
  options.config.alpha = 3.0;
  options.config.target_pattern = "all-linear";
  return options;
}

std::unique_ptr<CausalLm> load_adapted(const GoldenModel& golden, AdapterOptions options) {
  auto model = load_causal_lm(
      golden, {.dtype = ComputeDType::kFloat32, .trainable = true, .adapter = std::move(options)});
  at::manual_seed(9);
  const c10::NoGradGuard no_grad;
  for (const NamedParameter& parameter : model->parameters()) {
    if (parameter.name.ends_with("lora_B.weight")) parameter.tensor->normal_(0.0, 0.2);
  }
  return model;
}

PackedBatch golden_batch() {
  PackedBatch batch;
  for (const auto& row : GoldenModel::rows()) batch.add_row(row);
  return batch;
}

at::Tensor logits_of(CausalLm& model) { return model.logits(model.hidden_states(golden_batch())); }

void run_backward(CausalLm& model) { (logits_of(model).pow(2).sum() * 0.5).backward(); }

class AdaptedModel : public ::testing::TestWithParam<std::string> {
 protected:
  // The adapter as it is, written to disk and added into the golden weights.
  std::unique_ptr<CausalLm> merged(CausalLm& model) {
    const auto same = [](const NamedParameter& parameter) { return *parameter.tensor; };
    save_adapter(model, folder_.path().string(), same);
    const auto base = std::make_shared<GoldenModel>(GetParam());
    return load_causal_lm(*weights::merge_adapter(base, weights::LoraAdapter::open(folder_.path())),
                          {.dtype = ComputeDType::kFloat32, .trainable = true});
  }
  testing_support::TemporaryFolder folder_;
};

TEST_P(AdaptedModel, EqualsTheMergedOneInLogitsAndGradients) {
  const GoldenModel golden(GetParam());
  for (const bool checkpointing : {false, true}) {
    const auto model = load_adapted(golden, all_linear());
    model->set_gradient_checkpointing(checkpointing);
    const auto dense = merged(*model);
    EXPECT_LT(distance(logits_of(*model).detach(), logits_of(*dense)), 1e-5);
    run_backward(*model);
    run_backward(*dense);
    std::map<std::string, at::Tensor> whole;
    for (const NamedParameter& p : dense->parameters()) whole[p.name] = p.tensor->grad();
    const auto parameters = model->parameters();
    ASSERT_GE(parameters.size(), 8U);
    for (std::size_t i = 0; i < parameters.size(); i += 2) {
      const std::string& name = parameters[i].name;
      at::Tensor dw = whole.at(name.substr(0, name.find(".lora_A")) + ".weight");
      if (model->adapter_config()->fan_in_fan_out) dw = dw.t();
      const at::Tensor &a = *parameters[i].tensor, &b = *parameters[i + 1].tensor;
      ASSERT_TRUE(a.grad().defined() && b.grad().defined()) << name;
      EXPECT_LT(distance(a.grad(), b.detach().t().mm(dw) * 1.5), 5e-5) << name;
      EXPECT_LT(distance(b.grad(), dw.mm(a.detach().t()) * 1.5), 5e-5) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, AdaptedModel,
                         ::testing::ValuesIn(testing_support::golden_students()),
                         [](const auto& parameter) { return parameter.param; });

TEST(AdaptedModel, StartsAsTheBaseModelAndKeepsItBelow) {
  const GoldenModel golden("qwen2");
  const auto base = load_causal_lm(golden, {.dtype = ComputeDType::kFloat32});
  const auto fresh = load_causal_lm(
      golden, {.dtype = ComputeDType::kFloat32, .trainable = true, .adapter = all_linear()});
  EXPECT_TRUE(logits_of(*fresh).equal(logits_of(*base)));
  const auto model = load_adapted(golden, all_linear());
  const auto below = model->without_adapter();
  EXPECT_GT(distance(logits_of(*model).detach(), logits_of(*base)), 0.01);
  EXPECT_TRUE(logits_of(*below).equal(logits_of(*base)));
  EXPECT_TRUE(below->parameters().empty());
  EXPECT_EQ(below->head_weight().data_ptr(), model->head_weight().data_ptr());
}

TEST(AdaptedModel, GoesOnFromASavedAdapter) {
  const GoldenModel golden("qwen2");
  testing_support::TemporaryFolder folder;
  const auto model = load_adapted(golden, all_linear());
  save_adapter(*model, folder.path().string(),
               [](const NamedParameter& parameter) { return *parameter.tensor; });
  const auto start = weights::LoraAdapter::open(folder.path());
  const auto next = load_causal_lm(
      golden, {.dtype = ComputeDType::kFloat32,
               .trainable = true,
               .adapter = AdapterOptions{.config = start->config(), .start = start}});
  EXPECT_TRUE(logits_of(*next).equal(logits_of(*model)));
}

TEST(AdaptedModel, RefusesTargetsThatItCannotAdapt) {
  const GoldenModel golden("qwen2");
  for (const char* target : {"embed_tokens", "lm_head", "nothing"}) {
    AdapterOptions options;
    options.config.target_modules = {target};
    EXPECT_THROW(load_causal_lm(golden, {.trainable = true, .adapter = options}), InputError)
        << target;
  }
}

// bfloat16 goes through a product of ours, of which autograd knows nothing.
TEST(FrozenLinear, HandsGradientsOnWithoutAnAdapter) {
  at::manual_seed(12);
  const Linear linear{.weight = at::randn({16, 32}).to(at::kBFloat16)};
  const at::Tensor x = at::randn({5, 32}).to(at::kBFloat16).requires_grad_(true);
  const at::Tensor dy = at::randn({5, 16}).to(at::kBFloat16);
  linear(x).backward(dy);
  const at::Tensor expected = dy.to(at::kFloat).mm(linear.weight.to(at::kFloat));
  EXPECT_LT((x.grad().to(at::kFloat) - expected).abs().max().item<double>(), 0.1);
}

}  // namespace
}  // namespace aurum::model

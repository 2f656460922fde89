// transformer_benchmark MODEL [score|train]: seconds of a forward pass (score) or of a forward and
// backward pass (train) over 8 rows of 200 tokens in bfloat16, head aside, beside the same matrix
// products alone. Prints the median of seven runs each.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/parallel.h"
#include "model/causal_lm.h"
#include "model/tensor_memory.h"

namespace aurum::model {
namespace {

constexpr std::int64_t kRows = 8, kTokens = 200;

template <typename Body>
double median_seconds(const Body& body) {
  std::vector<double> seconds;
  for (int run = 0; run < 8; ++run) {
    const auto start = std::chrono::steady_clock::now();
    body();
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(seconds.begin() + 1, seconds.end());  // the first one warms up
  return seconds[4];
}

// [out, in] of the products of one layer, with q, k and v as one, and gate and up as one.
std::vector<std::pair<std::int64_t, std::int64_t>> products(const weights::ModelConfig& config) {
  const std::int64_t q = config.num_heads * config.head_dim;
  const std::int64_t kv = config.num_kv_heads * config.head_dim;
  return {{q + 2 * kv, config.hidden_size},
          {config.hidden_size, q},
          {2 * config.intermediate_size, config.hidden_size},
          {config.hidden_size, config.intermediate_size}};
}

double products_alone(const weights::ModelConfig& config, bool trains) {
  double total = 0;
  for (const auto& [out, in] : products(config)) {
    const at::Tensor w = at::randn({out, in}).to(at::kBFloat16);
    const at::Tensor x = at::randn({kRows * kTokens, in}).to(at::kBFloat16);
    const at::Tensor g = at::randn({kRows * kTokens, out}).to(at::kBFloat16);
    total += median_seconds([&] {
      at::linear(x, w);
      if (!trains) return;
      g.mm(w);
      g.t().mm(x);
    });
  }
  return total * static_cast<double>(config.num_layers);
}

void run(const std::string& path, bool trains) {
  const auto checkpoint = weights::open_checkpoint(path);
  const auto model = load_causal_lm(*checkpoint, {.trainable = trains, .keep_quantized = !trains});
  PackedBatch batch;
  for (std::int64_t row = 0; row < kRows; ++row) {
    std::vector<std::int32_t> ids;
    for (std::int64_t t = 0; t < kTokens; ++t) {
      ids.push_back(static_cast<std::int32_t>((row * 977 + t * 31) % 20000 + 10));
    }
    batch.add_row(ids);
  }
  const c10::AutoGradMode grad(trains);
  const double alone = products_alone(model->config(), trains);
  const double whole = median_seconds([&] {
    const at::Tensor hidden = model->hidden_states(batch);
    if (!trains) return;
    hidden.backward(at::ones_like(hidden));
    for (const NamedParameter& parameter : model->parameters()) {
      parameter.tensor->mutable_grad() = at::Tensor();
    }
  });
  std::printf("%s: %.3f s, products alone %.3f s, ratio %.2f\n", trains ? "train" : "score", whole,
              alone, whole / alone);
}

}  // namespace
}  // namespace aurum::model

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  aurum::set_num_threads(2);
  aurum::model::keep_tensor_memory();
  aurum::model::run(argv[1], argc > 2 && std::string(argv[2]) == "train");
}

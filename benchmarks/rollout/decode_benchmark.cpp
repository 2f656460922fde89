// decode_benchmark MODEL [ROWS...]: tokens per second of greedy decoding in bfloat16 on 2 threads,
// for each number of rows: different prompts of 64 tokens, 64 new tokens each, prompts included in
// the time. Prints the median of five runs.
//
// tools/bench_transformers.py FOLDER decode measures the same in transformers.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "model/causal_lm.h"
#include "rollout/local_rollout_source.h"

namespace aurum::rollout {
namespace {

constexpr std::int64_t kTokens = 64;  // of a prompt, and of its completion

std::vector<RolloutRequest> make_requests(std::int64_t rows) {
  std::vector<RolloutRequest> requests(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    RolloutRequest& request = requests[static_cast<std::size_t>(row)];
    request.sampling = {.temperature = 0.0, .max_new_tokens = kTokens};
    for (std::int64_t t = 0; t < kTokens; ++t) {
      request.prompt_ids.push_back(static_cast<std::int32_t>((row * 977 + t * 31) % 20000 + 10));
    }
  }
  return requests;
}

void run(model::CausalLm& model, std::int64_t rows) {
  LocalRolloutSource source(model, {}, model.config().vocab_size);
  const std::vector<RolloutRequest> requests = make_requests(rows);
  std::vector<double> seconds;
  for (int run = 0; run < 6; ++run) {
    const auto start = std::chrono::steady_clock::now();
    source.generate(requests);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(seconds.begin() + 1, seconds.end());  // the first one warms up
  std::printf("decode %lld rows: %.3f s, %.0f tokens/s\n", static_cast<long long>(rows), seconds[3],
              static_cast<double>(rows * kTokens) / seconds[3]);
}

}  // namespace
}  // namespace aurum::rollout

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  aurum::set_num_threads(2);
  const auto checkpoint = aurum::weights::open_checkpoint(argv[1]);
  const auto model = aurum::model::load_causal_lm(*checkpoint, {.trainable = true});
  std::vector<std::int64_t> sizes;
  for (int i = 2; i < argc; ++i) sizes.push_back(std::stoll(argv[i]));
  if (sizes.empty()) sizes = {1, 8, 32};
  for (const std::int64_t rows : sizes) aurum::rollout::run(*model, rows);
}

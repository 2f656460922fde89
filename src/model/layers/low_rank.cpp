#include "model/layers/low_rank.h"

#include <cmath>

#include <ATen/ATen.h>

#include "base/parallel.h"
#include "base/random_stream.h"

namespace aurum::model {

namespace {

constexpr std::int64_t kRowGrain = 16;
constexpr double kNumLevels = 65536.0;  // of a 16-bit draw

// Fills rows [begin, end) of the mask with 0 or `kept`. A 32-bit word decides about two values; a
// row begins at a whole word, so rows can be filled in any order.
void fill_rows(RandomStream stream, std::uint32_t threshold, float kept, std::int64_t columns,
               std::int64_t begin, std::int64_t end, float* mask) {
  const std::int64_t words = (columns + 1) / 2;
  stream.seek(static_cast<std::uint64_t>(begin * words));
  for (std::int64_t row = begin; row < end; ++row) {
    std::uint32_t word = 0;
    for (std::int64_t c = 0; c < columns; ++c) {
      word = c % 2 == 0 ? stream.next_u32() : word >> 16;
      mask[row * columns + c] = (word & 0xffffU) < threshold ? kept : 0.0F;
    }
  }
}

}  // namespace

at::Tensor dropout_mask(const AdapterDropout& dropout, const std::string& module,
                        const at::Tensor& x) {
  if (!dropout.draw || dropout.probability <= 0.0) return {};
  const auto threshold =
      static_cast<std::uint32_t>(std::lround((1.0 - dropout.probability) * kNumLevels));
  const double kept = threshold == 0 ? 0.0 : kNumLevels / threshold;
  at::Tensor mask = at::empty(x.sizes(), at::kFloat);
  const RandomStream stream(dropout.seed, "adapter_dropout." + module, *dropout.draw);
  auto* values = mask.mutable_data_ptr<float>();
  parallel_for(x.size(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    fill_rows(stream, threshold, static_cast<float>(kept), x.size(1), begin, end, values);
  });
  return mask.to(x.options());
}

at::Tensor initial_a(std::uint64_t seed, const std::string& module, std::int64_t rank,
                     std::int64_t columns) {
  at::Tensor a = at::empty({rank, columns}, at::kFloat);
  RandomStream stream(seed, "adapter_start." + module);
  const double bound = 1.0 / std::sqrt(static_cast<double>(columns));
  auto* values = a.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    values[i] = static_cast<float>((2.0 * stream.uniform() - 1.0) * bound);
  }
  return a;
}

}  // namespace aurum::model

// Hybrid ULD from hidden states through bfloat16 heads, forward and backward, beside its floor: the
// head products alone, and one pass over the logits' memory.
//
//   build/bin/loss_benchmarks --benchmark_filter=positions:256

#include <fstream>
#include <string>

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include "base/parallel.h"
#include "loss/fused_lm_head_loss.h"
#include "loss/head_products.h"
#include "loss/row_kernels.h"

namespace aurum::loss {
namespace {

constexpr std::int64_t kPrompt = 16;

struct Sizes {
  std::int64_t positions, student_hidden, student_vocab, teacher_hidden, teacher_vocab, matched;
};

HeadInput random_head(std::int64_t positions, std::int64_t hidden, std::int64_t vocab) {
  const double spread = 3.0 / std::sqrt(static_cast<double>(hidden));
  return {.hidden = at::randn({positions, hidden}).to(at::kBFloat16),
          .weight = (at::randn({vocab, hidden}) * spread).to(at::kBFloat16),
          .vocab = vocab};
}

RowSide make_side(std::int64_t positions, std::int64_t vocab) {
  RowSide side;
  for (std::int64_t p = 0; p < kPrompt + positions; ++p) {
    side.ids.push_back(static_cast<std::int32_t>(p * 7919 % vocab));
    side.is_completion.push_back(p >= kPrompt);
    const std::int64_t begin = std::max<std::int64_t>(0, p - kPrompt);
    side.spans.push_back({begin, begin + 1});
  }
  return side;
}

struct Window {
  explicit Window(const Sizes& s)
      : rows{{make_side(s.positions, s.student_vocab), make_side(s.positions, s.teacher_vocab)}},
        student(random_head(s.positions + kPrompt, s.student_hidden, s.student_vocab)),
        teacher(random_head(s.positions + kPrompt, s.teacher_hidden, s.teacher_vocab)) {
    vocabulary.student_size = s.student_vocab;
    vocabulary.teacher_size = s.teacher_vocab;
    for (std::int64_t i = 0; i < s.matched; ++i) {
      vocabulary.matched.emplace_back(s.student_vocab - s.matched + i,
                                      static_cast<std::int32_t>(i * 7919 % s.teacher_vocab));
    }
  }
  std::vector<Row> rows;
  HeadInput student, teacher;
  VocabularyPair vocabulary;
};

Sizes sizes_of(const benchmark::State& state) {
  return {.positions = state.range(0),
          .student_hidden = 576,
          .student_vocab = state.range(1),
          .teacher_hidden = 1536,
          .teacher_vocab = state.range(2),
          .matched = 39237};
}

void count_positions(benchmark::State& state) {
  state.counters["positions/s"] = benchmark::Counter(
      static_cast<double>(state.iterations() * state.range(0)), benchmark::Counter::kIsRate);
}

// Resident kilobytes of this process: "VmRSS:" now, "VmHWM:" at most since the last reset.
double resident_kilobytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double value = 0;
    if (word == field && status >> value) return value;
  }
  return 0;
}

template <typename Body>
double extra_megabytes(const Body& body) {
  std::ofstream("/proc/self/clear_refs") << "5";
  const double before = resident_kilobytes("VmRSS:");
  body();
  return (resident_kilobytes("VmHWM:") - before) / 1e3;
}

void BM_FusedHybridUld(benchmark::State& state) {
  set_num_threads(2);
  const Window window(sizes_of(state));
  const LossConfig config{.use_uld_loss = true, .hybrid = true};
  const WindowCounts counts = count_window(window.rows, config);
  FusedLmHeadLoss loss;
  const LossGradients gradients = zero_gradients(window.student, at::kFloat);
  const auto compute = [&] {
    return loss.compute(window.rows, window.student, window.teacher, window.vocabulary, counts,
                        config, state.range(3), gradients);
  };
  state.counters["extra_MB"] = extra_megabytes(compute);
  for (auto _ : state) benchmark::DoNotOptimize(compute());
  count_positions(state);
}

void BM_HeadProductsAlone(benchmark::State& state) {
  set_num_threads(2);
  const Window window(sizes_of(state));
  HeadProducts student(window.student), teacher(window.teacher);
  const std::int64_t chunk = state.range(3), positions = state.range(0);
  std::vector<float> student_logits(static_cast<std::size_t>(chunk * student.stride()));
  std::vector<float> teacher_logits(static_cast<std::size_t>(chunk * teacher.stride()));
  const LossGradients gradients = zero_gradients(window.student, at::kFloat);
  for (auto _ : state) {
    for (std::int64_t begin = 0; begin < positions; begin += chunk) {
      const at::Tensor rows = at::arange(begin, std::min(positions, begin + chunk), at::kLong);
      student.logits(rows, student_logits.data());
      teacher.logits(rows, teacher_logits.data());
      student.add_gradient(rows, student_logits.data(), gradients);
    }
  }
  count_positions(state);
}

// Reads every logit of both sides once and writes the student's: the least that a loss can touch.
void BM_OnePassOverLogits(benchmark::State& state) {
  set_num_threads(2);
  const Sizes s = sizes_of(state);
  const std::int64_t chunk = state.range(3), stride = padded(s.student_vocab);
  const std::int64_t teacher_stride = padded(s.teacher_vocab);
  std::vector<float> student(static_cast<std::size_t>(chunk * stride), 1.0F);
  std::vector<float> teacher(static_cast<std::size_t>(chunk * teacher_stride), 1.0F);
  for (auto _ : state) {
    for (std::int64_t begin = 0; begin < s.positions; begin += chunk) {
      parallel_for(chunk, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row) {
          float* z = student.data() + row * stride;
          benchmark::DoNotOptimize(row_max(teacher.data() + row * teacher_stride, s.teacher_vocab));
          combine(nullptr, z, 1.0F, 1.0F, s.student_vocab, z);
        }
      });
    }
  }
  count_positions(state);
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"positions", "student_vocab", "teacher_vocab", "chunk"})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
  for (const std::int64_t chunk : {32, 64, 96, 128}) {
    benchmark->Args({256, 49152, 151936, chunk});
  }
  for (const std::int64_t positions : {256, 1024}) {
    benchmark->Args({positions, 128256, 151936, 96});
  }
  benchmark->Args({1024, 49152, 151936, 96});
}
BENCHMARK(BM_FusedHybridUld)->Apply(sizes);
BENCHMARK(BM_HeadProductsAlone)->Apply(sizes);
BENCHMARK(BM_OnePassOverLogits)->Apply(sizes);

}  // namespace
}  // namespace aurum::loss

BENCHMARK_MAIN();

// Encoding, decoding, alignment and loading with a real tokenizer on a real text, on one thread:
//
//   text_benchmarks TOKENIZER TEXT [Google Benchmark's flags]
//
// tools/compare_tokenizer_speed.py runs it beside Hugging Face tokenizers.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"
#include "base/parallel.h"
#include "text/alignment/byte_alignment.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::text {
namespace {

struct Input {
  std::string path, text;
  std::shared_ptr<const Tokenizer> tokenizer;
  Encoding encoding;
};

Input& input() {
  static Input instance;
  return instance;
}

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<std::int64_t>(input().text.size()) *
                          static_cast<std::int64_t>(state.iterations()));
  state.counters["tokens"] = static_cast<double>(input().encoding.ids.size());
}

void load(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(load_tokenizer(input().path));
}

void encode(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(input().tokenizer->encode(input().text, false));
  count_bytes(state);
}

void decode(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(input().tokenizer->decode(input().encoding.ids, false));
  }
  count_bytes(state);
}

void decode_stream(benchmark::State& state) {
  for (auto _ : state) {
    const auto stream = input().tokenizer->make_stream_decoder(false);
    for (const TokenId id : input().encoding.ids) benchmark::DoNotOptimize(stream->push(id));
  }
  count_bytes(state);
}

// Against the text cut into single bytes, the most groups there can be.
void align(benchmark::State& state) {
  std::vector<ByteSpan> bytes;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(input().text.size()); ++i) {
    bytes.push_back({i, i + 1});
  }
  for (auto _ : state) benchmark::DoNotOptimize(align_by_bytes(input().encoding.spans, bytes));
  count_bytes(state);
}

// One word of a megabyte.
void encode_long_word(benchmark::State& state) {
  std::string word;
  while (word.size() < 1000000)
    word += "abcdefghijklmnopqrstuvwxyz"[(word.size() * 7919 >> 3) % 26];
  for (auto _ : state) benchmark::DoNotOptimize(input().tokenizer->encode(word, false));
}

void register_all() {
  using benchmark::RegisterBenchmark;
  RegisterBenchmark("load", load)->Unit(benchmark::kMillisecond);
  RegisterBenchmark("encode", encode)->Unit(benchmark::kMillisecond);
  RegisterBenchmark("decode", decode)->Unit(benchmark::kMillisecond);
  RegisterBenchmark("decode_stream", decode_stream)->Unit(benchmark::kMillisecond);
  RegisterBenchmark("align", align)->Unit(benchmark::kMillisecond);
  RegisterBenchmark("encode_long_word", encode_long_word)->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace aurum::text

int main(int argc, char** argv) {
  using namespace aurum;
  if (argc < 3) {
    fmt::print(stderr, "usage: {} TOKENIZER TEXT [Google Benchmark's flags]\n", argv[0]);
    return 2;
  }
  set_num_threads(1);
  try {
    text::Input& input = text::input();
    input.path = argv[1];
    input.text = read_file(argv[2]);
    input.tokenizer = text::load_tokenizer(input.path);
    input.encoding = input.tokenizer->encode(input.text, false);
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  }
  argc -= 2;
  argv[2] = argv[0];
  argv += 2;
  text::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}

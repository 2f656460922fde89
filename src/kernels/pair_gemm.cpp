#include "kernels/pair_gemm.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/instruction_set.h"

#if AURUM_X86
#include <immintrin.h>
#endif

namespace aurum::kernels {

bool has_pair_gemm() { return best_instruction_set() == InstructionSet::kAvx512BFloat16; }

bool prefers_pair_gemm() {
  static const bool kPrefers = has_pair_gemm() && !has_matrix_tiles();
  return kPrefers;
}

#if AURUM_X86

namespace {

constexpr std::int64_t kVector = 16;               // float32 sums in a register
constexpr int kVectors = 4;                        // registers across a panel
constexpr int kMostRows = 6;                       // of A in a tile: 6 x 4 sums in 32 registers
constexpr std::int64_t kBlockPairs = 768;          // of a panel: 192 KiB, in the second cache
constexpr std::int64_t kBlockRows = 2048;          // of A that run along a panel before the next
constexpr std::int64_t kLeastRowsToPrefetch = 13;  // fewer are done before the next panel is here
static_assert(kVectors * kVector == kPanelColumns);

// Rows of A against one block of one panel.
struct Tile {
  const Pair* a;
  std::int64_t row_stride, pair_stride;
  const Pair* panel;
  std::int64_t pairs;
  const Pair* ahead;       // as many pairs, to be brought to the second cache meanwhile
  bool is_first, is_last;  // block of the panel
  float* sums;             // [rows, 64]: what earlier blocks added up, and later ones will need
  __m512 bias[kVectors];
  bool adds_to_out;
  __mmask16 columns[kVectors];
  float* out;
  BFloat16* rounded_out;
  std::int64_t out_stride;
};

template <int kRows>
AURUM_TARGET_AVX512_BFLOAT16 inline void write_out(const Tile& tile,
                                                   const __m512 (&sums)[kRows][kVectors]) {
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t at = r * tile.out_stride + v * kVector;
      const __m512 addend =
          tile.adds_to_out ? _mm512_maskz_loadu_ps(tile.columns[v], tile.out + at) : tile.bias[v];
      const __m512 sum = _mm512_add_ps(sums[r][v], addend);
      if (tile.out != nullptr) {
        _mm512_mask_storeu_ps(tile.out + at, tile.columns[v], sum);
      } else {
        const __m256bh rounded = _mm512_cvtneps_pbh(sum);
        _mm256_mask_storeu_epi16(tile.rounded_out + at, tile.columns[v],
                                 reinterpret_cast<__m256i>(rounded));
      }
    }
  }
}

// Brings what the tile will be added to into the cache while it is computed.
template <int kRows>
inline void fetch_out(const Tile& tile) {
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      _mm_prefetch(reinterpret_cast<const char*>(tile.out + r * tile.out_stride + v * kVector),
                   _MM_HINT_T0);
    }
  }
}

template <int kRows>
AURUM_TARGET_AVX512_BFLOAT16 void multiply_tile(const Tile& tile) {
  if (tile.adds_to_out && tile.is_last) fetch_out<kRows>(tile);
  __m512 sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = tile.is_first ? _mm512_setzero_ps()
                                 : _mm512_load_ps(tile.sums + r * kPanelColumns + v * kVector);
    }
  }
  const Pair* a = tile.a;
  const Pair* b = tile.panel;
  for (std::int64_t p = 0; p < tile.pairs; ++p, a += tile.pair_stride, b += kPanelColumns) {
    _mm_prefetch(reinterpret_cast<const char*>(tile.ahead + p * kVector), _MM_HINT_T1);
    __m512bh columns[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      columns[v] = reinterpret_cast<__m512bh>(_mm512_load_si512(b + v * kVector));
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const auto row = reinterpret_cast<__m512bh>(
          _mm512_set1_epi32(static_cast<std::int32_t>(a[r * tile.row_stride])));
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], row, columns[v]);
    }
  }
  if (tile.is_last) return write_out<kRows>(tile, sums);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      _mm512_store_ps(tile.sums + r * kPanelColumns + v * kVector, sums[r][v]);
    }
  }
}

template <std::size_t... kCounts>
constexpr auto tile_functions(std::index_sequence<kCounts...>) {
  return std::array{multiply_tile<static_cast<int>(kCounts) + 1>...};
}
constexpr auto kTileFunctions = tile_functions(std::make_index_sequence<kMostRows>());

// Brings what a later block will be packed from to the second cache, some lines after each tile:
// read when it is packed, each of its rows would wait for the memory.
class RegionPrefetch {
 public:
  RegionPrefetch() = default;
  explicit RegionPrefetch(const PanelRegion& region)
      : region_(region), lines_left_(region.rows * lines_per_row(region)) {}

  // Brings the share that falls to one of `tiles_left` tiles.
  void advance(std::int64_t tiles_left) {
    const std::int64_t share = (lines_left_ + tiles_left - 1) / tiles_left;
    lines_left_ -= share;
    for (std::int64_t i = 0; i < share; ++i) {
      const std::uintptr_t address = region_.address + static_cast<std::uintptr_t>(offset_);
      _mm_prefetch(reinterpret_cast<const char*>(address), _MM_HINT_T1);
      offset_ += kLine;
      if (offset_ < region_.row_bytes) continue;
      offset_ = 0;
      region_.address += static_cast<std::uintptr_t>(region_.stride);
    }
  }

 private:
  static constexpr std::int64_t kLine = 64;

  static std::int64_t lines_per_row(const PanelRegion& region) {
    return (region.row_bytes + kLine - 1) / kLine;
  }

  PanelRegion region_;
  std::int64_t lines_left_ = 0, offset_ = 0;  // of the row at region_.address
};

// Rows [begin, end) of A along one block of a panel, in tiles of nearly equal size: one of a single
// row would leave the pipeline empty.
void run_rows(const PairGemm& gemm, Tile tile, std::int64_t first, std::int64_t begin,
              std::int64_t end, std::int64_t first_pair, RegionPrefetch prefetch) {
  const PairRows& a = gemm.a;
  const Pair* const ahead = tile.ahead;
  float* const sums = tile.sums;
  float* const out = tile.out;
  BFloat16* const rounded_out = tile.rounded_out;
  while (begin < end) {
    const std::int64_t in_block = begin % a.block_rows;
    const std::int64_t count = std::min(end - begin, a.block_rows - in_block);
    const std::int64_t tiles = (count + kMostRows - 1) / kMostRows;
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::int64_t row = count * t / tiles, next = count * (t + 1) / tiles;
      // Tiles share the panel to come: each brings one of its four vectors per pair.
      tile.ahead = ahead + std::min<std::int64_t>(t, kVectors - 1) * tile.pairs * kVector;
      tile.a = a.data + begin / a.block_rows * a.block_stride + (in_block + row) * a.row_stride +
               first_pair * a.pair_stride;
      tile.sums = sums + (begin + row - first) * kPanelColumns;
      const std::int64_t at = (begin + row) * gemm.out_stride;
      if (out != nullptr) tile.out = out + at;
      if (rounded_out != nullptr) tile.rounded_out = rounded_out + at;
      kTileFunctions[static_cast<std::size_t>(next - row - 1)](tile);
      prefetch.advance((end - begin - row) / kMostRows + 1);
    }
    begin += count;
  }
}

// Panel `panel` of C for rows [begin, end).
// `next_panel` is the one that this thread will probably run after it.
AURUM_TARGET_AVX512_BFLOAT16 void run_panel(const PairGemm& gemm, std::int64_t panel,
                                            std::int64_t next_panel, std::int64_t begin,
                                            std::int64_t end) {
  thread_local AlignedBuffer<Pair> packed;
  thread_local AlignedBuffer<float> sums;
  const std::int64_t column = panel * kPanelColumns, pairs = pairs_of(gemm.depth);
  Tile tile{.row_stride = gemm.a.row_stride,
            .pair_stride = gemm.a.pair_stride,
            .adds_to_out = gemm.adds_to_out,
            .out = gemm.out != nullptr ? gemm.out + column : nullptr,
            .rounded_out = gemm.rounded_out != nullptr ? gemm.rounded_out + column : nullptr,
            .out_stride = gemm.out_stride};
  for (int v = 0; v < kVectors; ++v) {
    const std::int64_t left = std::clamp<std::int64_t>(gemm.columns - column - v * kVector, 0, 16);
    tile.columns[v] = static_cast<__mmask16>((1u << left) - 1);
    tile.bias[v] = gemm.bias != nullptr
                       ? _mm512_maskz_loadu_ps(tile.columns[v], gemm.bias + column + v * kVector)
                       : _mm512_setzero_ps();
  }
  if (pairs > kBlockPairs) {
    sums.reserve(static_cast<std::size_t>((end - begin) * kPanelColumns));
    tile.sums = sums.data();
  }
  const bool has_next = next_panel < panels_of(gemm.columns);
  for (std::int64_t first = 0; first < pairs; first += kBlockPairs) {
    RegionPrefetch prefetch;
    tile.pairs = std::min(kBlockPairs, pairs - first);
    tile.is_first = first == 0;
    tile.is_last = first + tile.pairs == pairs;
    if (gemm.packed != nullptr) {
      tile.panel = gemm.packed + (panel * pairs + first) * kPanelColumns;
      const bool is_worth_it = end - begin >= kLeastRowsToPrefetch && has_next;
      tile.ahead =
          is_worth_it ? gemm.packed + (next_panel * pairs + first) * kPanelColumns : tile.panel;
    } else {
      packed.reserve(static_cast<std::size_t>(kBlockPairs * kPanelColumns));
      gemm.panels.pack(panel, first, first + tile.pairs, packed.data());
      tile.panel = tile.ahead = packed.data();
      const std::int64_t from = tile.is_last ? 0 : first + kBlockPairs;
      if (gemm.panels.region && (has_next || !tile.is_last)) {
        prefetch = RegionPrefetch(gemm.panels.region(tile.is_last ? next_panel : panel, from,
                                                     std::min(pairs, from + kBlockPairs)));
      }
    }
    run_rows(gemm, tile, begin, begin, end, first, prefetch);
  }
}

// How C is cut into tasks: `chunks` of rows times groups of `panels_per_task` panels.
struct Plan {
  std::int64_t chunks, panels_per_task;
  std::int64_t panels_to_next;  // from one panel of a thread to its next, when all keep pace
};

// About eight tasks for each thread, so that one that is held up takes fewer; a task is worth the
// time to claim it, and has enough rows to pay for reading or packing its panel.
Plan make_plan(const PairGemm& gemm) {
  constexpr std::int64_t kTasksPerThread = 8, kWorthIt = 100'000;
  const std::int64_t least_rows = gemm.packed != nullptr ? 2 * kMostRows : 192;
  const std::int64_t wanted = kTasksPerThread * num_threads(), panels = panels_of(gemm.columns);
  std::int64_t chunks = (gemm.rows + kBlockRows - 1) / kBlockRows;
  while (panels * chunks < wanted && gemm.rows / (chunks + 1) >= least_rows) ++chunks;
  const std::int64_t panel_size = gemm.rows / chunks * gemm.depth * kPanelColumns;
  const std::int64_t worth_it = (kWorthIt + panel_size - 1) / std::max<std::int64_t>(panel_size, 1);
  const std::int64_t per_task =
      std::max({std::int64_t{1}, worth_it, panels * chunks / (2 * wanted)});
  const std::int64_t next = per_task > 1 ? 1 : std::max<std::int64_t>(1, num_threads() / chunks);
  return {chunks, per_task, next};
}

}  // namespace

void pair_gemm(const PairGemm& gemm) {
  AURUM_CHECK(has_pair_gemm(), "no AVX-512 BF16 here");
  AURUM_CHECK((gemm.out == nullptr) != (gemm.rounded_out == nullptr));
  AURUM_CHECK(!gemm.adds_to_out || (gemm.out != nullptr && gemm.bias == nullptr));
  if (gemm.rows == 0 || gemm.columns == 0) return;
  const Plan plan = make_plan(gemm);
  const std::int64_t panels = panels_of(gemm.columns);
  const std::int64_t groups = (panels + plan.panels_per_task - 1) / plan.panels_per_task;
  parallel_for_each(groups * plan.chunks, [&](std::int64_t task) {
    const std::int64_t group = task / plan.chunks, chunk = task % plan.chunks;
    const std::int64_t last = std::min(panels, (group + 1) * plan.panels_per_task);
    for (std::int64_t panel = group * plan.panels_per_task; panel < last; ++panel) {
      run_panel(gemm, panel, panel + plan.panels_to_next, gemm.rows * chunk / plan.chunks,
                gemm.rows * (chunk + 1) / plan.chunks);
    }
  });
}

#else

void pair_gemm(const PairGemm&) { AURUM_CHECK(false, "no AVX-512 BF16 here"); }

#endif

}  // namespace aurum::kernels

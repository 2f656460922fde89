#include "loss/bf16_products.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace aurum::loss {

#if defined(__x86_64__)

#define AURUM_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define AURUM_BF16_INLINE AURUM_BF16 __attribute__((always_inline)) inline

namespace {

constexpr std::int64_t kTile = 4;           // rows and columns of a register tile
constexpr std::int64_t kForwardBlock = 64;  // head rows that stay in the cache
constexpr std::int64_t kVocabBlock = 256;   // head rows per pass over the hidden gradient
constexpr std::int64_t kColumns = 64;       // hidden columns of a register tile

AURUM_BF16_INLINE __mmask32 mask_of(std::int64_t left) {
  return left >= 32 ? 0xffffffffU : (left <= 0 ? 0U : (1U << left) - 1U);
}

AURUM_BF16_INLINE __m512bh load(const Bits16* data, __mmask32 mask) {
  return reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(mask, data));
}

AURUM_BF16_INLINE __m512bh broadcast_pair(const Bits16* data) {
  std::int32_t pair;
  std::memcpy(&pair, data, sizeof(pair));
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}

// Lane 4 i + j of the result is the sum of the sixteen lanes of sums[i][j].
AURUM_BF16_INLINE __m512 sum_lanes(const __m512 (&sums)[kTile][kTile]) {
  __m512 rows[kTile];
#pragma GCC unroll 4
  for (int i = 0; i < kTile; ++i) {
    const __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(sums[i][0], sums[i][1]),
                                   _mm512_unpackhi_ps(sums[i][0], sums[i][1]));
    const __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(sums[i][2], sums[i][3]),
                                   _mm512_unpackhi_ps(sums[i][2], sums[i][3]));
    const __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
    rows[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(c, d)),
                            _mm512_castpd_ps(_mm512_unpackhi_pd(c, d)));
  }
  const __m512 u = _mm512_add_ps(_mm512_shuffle_f32x4(rows[0], rows[1], 0x44),
                                 _mm512_shuffle_f32x4(rows[0], rows[1], 0xee));
  const __m512 v = _mm512_add_ps(_mm512_shuffle_f32x4(rows[2], rows[3], 0x44),
                                 _mm512_shuffle_f32x4(rows[2], rows[3], 0xee));
  return _mm512_add_ps(_mm512_shuffle_f32x4(u, v, 0x88), _mm512_shuffle_f32x4(u, v, 0xdd));
}

// Four rows of x times four rows of the head; pointers repeat where fewer are left.
AURUM_BF16 void dot_tile(const Bits16* const (&x)[kTile], const Bits16* const (&w)[kTile],
                         std::int64_t hidden, float (&out)[kTile * kTile]) {
  __m512 sums[kTile][kTile];
#pragma GCC unroll 4
  for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kTile; ++j) sums[i][j] = _mm512_setzero_ps();
  }
  for (std::int64_t k = 0; k < hidden; k += 32) {
    const __mmask32 mask = mask_of(hidden - k);
    __m512bh ws[kTile];
#pragma GCC unroll 4
    for (int j = 0; j < kTile; ++j) ws[j] = load(w[j] + k, mask);
#pragma GCC unroll 4
    for (int i = 0; i < kTile; ++i) {
      const __m512bh xs = load(x[i] + k, mask);
#pragma GCC unroll 4
      for (int j = 0; j < kTile; ++j) sums[i][j] = _mm512_dpbf16_ps(sums[i][j], xs, ws[j]);
    }
  }
  _mm512_storeu_ps(out, sum_lanes(sums));
}

void multiply_block(const Bits16* x, std::int64_t rows, const HeadMatrix& head, std::int64_t begin,
                    std::int64_t end, float* out, std::int64_t out_stride) {
  for (std::int64_t n = 0; n < rows; n += kTile) {
    const std::int64_t num_x = std::min(kTile, rows - n);
    const Bits16* xs[kTile];
    for (std::int64_t i = 0; i < kTile; ++i) xs[i] = x + (n + std::min(i, num_x - 1)) * head.hidden;
    for (std::int64_t v = begin; v < end; v += kTile) {
      const std::int64_t num_w = std::min(kTile, end - v);
      const Bits16* ws[kTile];
      for (std::int64_t j = 0; j < kTile; ++j) {
        ws[j] = head.data + (v + std::min(j, num_w - 1)) * head.hidden;
      }
      float tile[kTile * kTile];
      dot_tile(xs, ws, head.hidden, tile);
      for (std::int64_t i = 0; i < num_x; ++i) {
        std::memcpy(out + (n + i) * out_stride + v, tile + i * kTile,
                    static_cast<std::size_t>(num_w) * sizeof(float));
      }
    }
  }
}

// sums[i][*] += (high + low)[i] * columns, for one pair of the summed dimension.
AURUM_BF16_INLINE void add_pair(const Bits16* const (&high)[kTile], std::int64_t low_offset,
                                std::int64_t at, const __m512bh (&columns)[4],
                                __m512 (&sums)[kTile][4]) {
#pragma GCC unroll 4
  for (int i = 0; i < kTile; ++i) {
    const __m512bh h = broadcast_pair(high[i] + at), l = broadcast_pair(high[i] + at + low_offset);
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      sums[i][c] = _mm512_dpbf16_ps(sums[i][c], h, columns[c]);
      sums[i][c] = _mm512_dpbf16_ps(sums[i][c], l, columns[c]);
    }
  }
}

AURUM_BF16_INLINE void add_to_memory(float* out, __m512 value, std::int64_t left) {
  const __mmask16 mask = static_cast<__mmask16>(mask_of(std::min<std::int64_t>(left, 16)));
  _mm512_mask_storeu_ps(out, mask, _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out), value));
}

// out[rows of `high`, h..h+64) += over head rows [begin, end). Interleaving two head rows puts the
// columns in the order that `first` and `second` undo.
AURUM_BF16 void hidden_tile(const Bits16* const (&high)[kTile], std::int64_t stride,
                            const HeadMatrix& head, std::int64_t begin, std::int64_t end,
                            std::int64_t h, float* const (&out)[kTile], std::int64_t num_rows) {
  __m512 sums[kTile][4];
#pragma GCC unroll 4
  for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) sums[i][c] = _mm512_setzero_ps();
  }
  const __mmask32 masks[2] = {mask_of(head.hidden - h), mask_of(head.hidden - h - 32)};
  for (std::int64_t v = begin; v < end; v += 2) {
    const Bits16* row = head.data + v * head.hidden + h;
    const bool has_second = v + 1 < head.vocab;
    const Bits16* next = has_second ? row + head.hidden : row;
    __m512bh columns[4];
#pragma GCC unroll 2
    for (int c = 0; c < 2; ++c) {
      const __m512i a = _mm512_maskz_loadu_epi16(masks[c], row + 32 * c);
      const __m512i b = _mm512_maskz_loadu_epi16(has_second ? masks[c] : 0U, next + 32 * c);
      columns[2 * c] = reinterpret_cast<__m512bh>(_mm512_unpacklo_epi16(a, b));
      columns[2 * c + 1] = reinterpret_cast<__m512bh>(_mm512_unpackhi_epi16(a, b));
    }
    add_pair(high, stride, v, columns, sums);
  }
  const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i second =
      _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  for (std::int64_t i = 0; i < num_rows; ++i) {
#pragma GCC unroll 2
    for (int c = 0; c < 2; ++c) {
      const __m512 low = sums[i][2 * c], up = sums[i][2 * c + 1];
      float* at = out[i] + h + 32 * c;
      const std::int64_t left = head.hidden - h - 32 * c;
      add_to_memory(at, _mm512_permutex2var_ps(low, first, up), left);
      add_to_memory(at + 16, _mm512_permutex2var_ps(low, second, up), left - 16);
    }
  }
}

void hidden_block(const SplitMatrix& gradient, const HeadMatrix& head, std::int64_t begin,
                  std::int64_t end, float* out) {
  for (std::int64_t h = 0; h < head.hidden; h += kColumns) {
    for (std::int64_t n = 0; n < gradient.rows; n += kTile) {
      const std::int64_t num_rows = std::min(kTile, gradient.rows - n);
      const Bits16* high[kTile];
      float* rows[kTile];
      for (std::int64_t i = 0; i < kTile; ++i) {
        const std::int64_t row = n + std::min(i, num_rows - 1);
        high[i] = gradient.data + row * 2 * gradient.stride;
        rows[i] = out + row * head.hidden;
      }
      hidden_tile(high, gradient.stride, head, begin, end, h, rows, num_rows);
    }
  }
}

// Interleaves rows n and n + 1 (zeros where there is none): [cols] pairs.
void interleave(const Bits16* first, const Bits16* second, std::int64_t cols, Bits16* out) {
  for (std::int64_t c = 0; c < cols; ++c) {
    out[2 * c] = first[c];
    out[2 * c + 1] = second != nullptr ? second[c] : Bits16{0};
  }
}

// head_gradient rows v..v+4 += over pairs of positions.
//   pairs  [pairs of positions, 2 (high, low), block] pairs of bfloat16
//   x      [pairs of positions, hidden] pairs of bfloat16
AURUM_BF16 void head_tile(const Bits16* const (&pairs)[kTile], std::int64_t num_pairs,
                          std::int64_t block, const Bits16* x, std::int64_t hidden, std::int64_t h,
                          float* const (&out)[kTile], std::int64_t num_rows) {
  __m512 sums[kTile][4];
#pragma GCC unroll 4
  for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) sums[i][c] = _mm512_setzero_ps();
  }
  for (std::int64_t p = 0; p < num_pairs; ++p) {
    __m512bh columns[4];
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      columns[c] = load(x + (p * hidden + h + 16 * c) * 2, mask_of(2 * (hidden - h - 16 * c)));
    }
    add_pair(pairs, 2 * block, p * 4 * block, columns, sums);
  }
  for (std::int64_t i = 0; i < num_rows; ++i) {
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      add_to_memory(out[i] + h + 16 * c, sums[i][c], hidden - h - 16 * c);
    }
  }
}

constexpr std::int64_t kHeadBlock = 64;  // head rows whose pairs are interleaved at a time

void head_block(const SplitMatrix& gradient, const Bits16* x, std::int64_t hidden,
                std::int64_t begin, std::int64_t end, std::vector<Bits16>& pairs, float* out) {
  const std::int64_t num_pairs = (gradient.rows + 1) / 2, size = end - begin;
  pairs.resize(static_cast<std::size_t>(num_pairs * 4 * kHeadBlock));
  for (std::int64_t p = 0; p < num_pairs; ++p) {
    for (std::int64_t half = 0; half < 2; ++half) {
      const Bits16* first = gradient.data + (4 * p + half) * gradient.stride + begin;
      const Bits16* second = 2 * p + 1 < gradient.rows ? first + 2 * gradient.stride : nullptr;
      interleave(first, second, size, pairs.data() + (2 * p + half) * 2 * kHeadBlock);
    }
  }
  for (std::int64_t v = 0; v < size; v += kTile) {
    const std::int64_t num_rows = std::min(kTile, size - v);
    const Bits16* tile[kTile];
    float* rows[kTile];
    for (std::int64_t i = 0; i < kTile; ++i) {
      const std::int64_t row = v + std::min(i, num_rows - 1);
      tile[i] = pairs.data() + 2 * row;
      rows[i] = out + (begin + row) * hidden;
    }
    for (std::int64_t h = 0; h < hidden; h += kColumns) {
      head_tile(tile, num_pairs, kHeadBlock, x, hidden, h, rows, num_rows);
    }
  }
}

}  // namespace

bool has_bf16_products() {
  static const bool has = __builtin_cpu_supports("avx512bf16") != 0 &&
                          __builtin_cpu_supports("avx512bw") != 0 &&
                          __builtin_cpu_supports("avx512vl") != 0;
  return has;
}

void multiply_by_head(const Bits16* x, std::int64_t rows, const HeadMatrix& head, float* out,
                      std::int64_t out_stride) {
  const std::int64_t num_blocks = (head.vocab + kForwardBlock - 1) / kForwardBlock;
  parallel_for(num_blocks, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block) {
      const std::int64_t begin = block * kForwardBlock;
      multiply_block(x, rows, head, begin, std::min(head.vocab, begin + kForwardBlock), out,
                     out_stride);
    }
  });
}

void gradient_to_hidden(const SplitMatrix& gradient, const HeadMatrix& head, float* out) {
  const auto size = static_cast<std::size_t>(gradient.rows * head.hidden);
  const std::int64_t num_blocks = (head.vocab + kVocabBlock - 1) / kVocabBlock;
  const std::int64_t parts = std::min<std::int64_t>(num_threads(), num_blocks);
  std::vector<float> partial(size * static_cast<std::size_t>(parts));
  parallel_for(parts, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t part = first; part < last; ++part) {
      for (std::int64_t block = part * num_blocks / parts; block < (part + 1) * num_blocks / parts;
           ++block) {
        const std::int64_t begin = block * kVocabBlock;
        hidden_block(gradient, head, begin, std::min(head.vocab, begin + kVocabBlock),
                     partial.data() + static_cast<std::size_t>(part) * size);
      }
    }
  });
  std::copy_n(partial.begin(), size, out);
  for (std::size_t part = 1; part < static_cast<std::size_t>(parts); ++part) {
    for (std::size_t i = 0; i < size; ++i) out[i] += partial[part * size + i];
  }
}

void add_gradient_to_head(const SplitMatrix& gradient, const Bits16* x, std::int64_t hidden,
                          float* head_gradient) {
  const std::int64_t num_pairs = (gradient.rows + 1) / 2;
  std::vector<Bits16> x_pairs(static_cast<std::size_t>(num_pairs * 2 * hidden));
  for (std::int64_t p = 0; p < num_pairs; ++p) {
    const Bits16* first = x + 2 * p * hidden;
    interleave(first, 2 * p + 1 < gradient.rows ? first + hidden : nullptr, hidden,
               x_pairs.data() + 2 * p * hidden);
  }
  const std::int64_t num_blocks = (gradient.cols + kHeadBlock - 1) / kHeadBlock;
  parallel_for(num_blocks, 1, [&](std::int64_t first, std::int64_t last) {
    std::vector<Bits16> pairs;
    for (std::int64_t block = first; block < last; ++block) {
      const std::int64_t begin = block * kHeadBlock;
      head_block(gradient, x_pairs.data(), hidden, begin,
                 std::min(gradient.cols, begin + kHeadBlock), pairs, head_gradient);
    }
  });
}

#else

bool has_bf16_products() { return false; }
void multiply_by_head(const Bits16*, std::int64_t, const HeadMatrix&, float*, std::int64_t) {
  AURUM_CHECK(false, "no AVX-512 BF16");
}
void gradient_to_hidden(const SplitMatrix&, const HeadMatrix&, float*) {
  AURUM_CHECK(false, "no AVX-512 BF16");
}
void add_gradient_to_head(const SplitMatrix&, const Bits16*, std::int64_t, float*) {
  AURUM_CHECK(false, "no AVX-512 BF16");
}

#endif

}  // namespace aurum::loss

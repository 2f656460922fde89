// Packs float32 values into ggml blocks.
//
// A K block covers 256 values in groups. Q4_K and Q5_K store, for a group of 32, x = s q - m with
// q in [0, levels] and s, m six-bit multiples of the block's d and dmin. Q6_K stores, for a group
// of 16, x = s q with q in [-32, 31] and s an eight-bit multiple of d. Both look for s (and m) by
// rounding at slightly different step sizes and solving least squares for each: values that matter
// more weigh more. Compiled without contraction to FMA, and sums keep a fixed order, so that the
// bytes do not depend on the machine.

#include "weights/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "weights/float_bits.h"
#include "weights/multiversion.h"

namespace aurum::weights {
namespace {

using Bytes = std::uint8_t*;

constexpr int kBlock = 256;
// Sums run in this many lanes, which are added at the end: vectors of every width give one result.
constexpr int kLanes = 8;

// Nearest even, for |value| < 2^22: the mantissa has no room for a fraction.
inline float rounded(float value) { return (value + 12582912.0F) - 12582912.0F; }
inline float clamped(float value, float low, float high) {
  return std::min(std::max(value, low), high);
}

inline void store_half(Bytes out, float value) {
  const std::uint16_t half = half_of_float(value);
  std::memcpy(out, &half, sizeof half);
}

struct Lanes {
  std::array<float, kLanes> value{};

  float sum() const {
    float total = 0.0F;
    for (const float v : value) total += v;
    return total;
  }
};

// Calls add(i, lane) for i in [0, kCount).
template <int kCount, typename Add>
inline void for_lanes(Add add) {
  for (int i = 0; i < kCount; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
  }
}

// --- blocks of 32 with one scale, as in ggml's reference functions ---

// The value of largest magnitude, with its sign; the first of several.
inline float extreme_of(const float* x, int count) {
  float extreme = 0.0F, largest = 0.0F;
  for (int i = 0; i < count; ++i) {
    if (std::abs(x[i]) > largest) {
      largest = std::abs(x[i]);
      extreme = x[i];
    }
  }
  return extreme;
}

// 1 / d, or 0 where that has no finite value: such a block becomes zeros.
inline float inverse(float d) {
  const float result = d == 0.0F ? 0.0F : 1.0F / d;
  return std::isfinite(result) ? result : 0.0F;
}

inline void pack_q8_0(const float* x, Bytes out) {
  const float d = std::abs(extreme_of(x, 32)) / 127.0F, scale = inverse(d);
  store_half(out, d);
  for (int i = 0; i < 32; ++i) {
    const float scaled = x[i] * scale, whole = std::floor(std::abs(scaled));
    // Halves go away from zero.
    const float magnitude = whole + std::floor(2.0F * (std::abs(scaled) - whole));
    out[2 + i] =
        static_cast<std::uint8_t>(static_cast<std::int8_t>(scaled < 0.0F ? -magnitude : magnitude));
  }
}

// Values as integers in [0, 2 half - 1], `half` standing for zero.
inline void round_around(const float* x, float half, float d, std::array<std::uint8_t, 32>& q) {
  const float scale = inverse(d);
  for (int i = 0; i < 32; ++i) {
    q[i] = static_cast<std::uint8_t>(std::min(2.0F * half - 1.0F, x[i] * scale + (half + 0.5F)));
  }
}

inline void pack_q4_0(const float* x, Bytes out) {
  const float d = extreme_of(x, 32) / -8.0F;
  std::array<std::uint8_t, 32> q;
  round_around(x, 8.0F, d, q);
  store_half(out, d);
  for (int i = 0; i < 16; ++i) out[2 + i] = static_cast<std::uint8_t>(q[i] | q[i + 16] << 4);
}

inline void pack_q5_0(const float* x, Bytes out) {
  const float d = extreme_of(x, 32) / -16.0F;
  std::array<std::uint8_t, 32> q;
  round_around(x, 16.0F, d, q);
  store_half(out, d);
  std::uint32_t high = 0;
  for (int i = 0; i < 32; ++i) high |= static_cast<std::uint32_t>(q[i] >> 4) << i;
  std::memcpy(out + 2, &high, sizeof high);
  for (int i = 0; i < 16; ++i) {
    out[6 + i] = static_cast<std::uint8_t>((q[i] & 15) | (q[i + 16] & 15) << 4);
  }
}

inline void pack_q5_1(const float* x, Bytes out) {
  const auto [low, high] = std::minmax_element(x, x + 32);
  const float minimum = *low, d = (*high - minimum) / 31.0F, scale = inverse(d);
  store_half(out, d);
  store_half(out + 2, minimum);
  std::uint32_t fifth = 0;
  std::array<std::uint8_t, 32> q;
  for (int i = 0; i < 32; ++i) {
    q[i] = static_cast<std::uint8_t>((x[i] - minimum) * scale + 0.5F);
    fifth |= static_cast<std::uint32_t>(q[i] >> 4) << i;
  }
  std::memcpy(out + 4, &fifth, sizeof fifth);
  for (int i = 0; i < 16; ++i) {
    out[8 + i] = static_cast<std::uint8_t>((q[i] & 15) | (q[i + 16] & 15) << 4);
  }
}

// --- Q4_K and Q5_K ---

constexpr int kGroup = 32;
constexpr int kNumGroups = kBlock / kGroup;

// x = scale q - minimum.
struct AffineScale {
  float scale = 0.0F, minimum = 0.0F;
};

struct AffineSearch {
  float levels;  // the largest q
  float first;   // step sizes range / (levels + first + k / 10), k = 0, 1, ... num_steps
  int num_steps;
};

// Weighs a value by its magnitude on top of the group's usual one.
inline void weigh(const float* x, std::array<float, kGroup>& weights) {
  Lanes squares;
  for_lanes<kGroup>([&](int i, int lane) { squares.value[lane] += x[i] * x[i]; });
  const float usual = std::sqrt(squares.sum() / kGroup);
  for (int i = 0; i < kGroup; ++i) weights[i] = usual + std::abs(x[i]);
}

inline float affine_error(const float* x, const float* weights, AffineScale s, float levels) {
  const float inverse_scale = inverse(s.scale);
  Lanes error;
  for_lanes<kGroup>([&](int i, int lane) {
    const float q = clamped(rounded((x[i] + s.minimum) * inverse_scale), 0.0F, levels);
    const float difference = s.scale * q - s.minimum - x[i];
    error.value[lane] += weights[i] * difference * difference;
  });
  return error.sum();
}

// Least squares for (scale, minimum) when the q are those of rounding at `inverse_step`.
inline AffineScale solve_affine(const float* x, const float* weights, float low, float inverse_step,
                                float levels, float sum_w, float sum_x) {
  Lanes l, l2, xl;
  for_lanes<kGroup>([&](int i, int lane) {
    const float q = clamped(rounded(inverse_step * (x[i] - low)), 0.0F, levels);
    l.value[lane] += weights[i] * q;
    l2.value[lane] += weights[i] * q * q;
    xl.value[lane] += weights[i] * q * x[i];
  });
  const float sum_l = l.sum(), sum_l2 = l2.sum(), sum_xl = xl.sum();
  const float determinant = sum_w * sum_l2 - sum_l * sum_l;
  if (!(determinant > 0.0F)) return {};
  AffineScale s{(sum_w * sum_xl - sum_x * sum_l) / determinant,
                (sum_l * sum_xl - sum_l2 * sum_x) / determinant};
  if (s.minimum < 0.0F) s = {sum_xl / sum_l2, 0.0F};  // the format has no other sign
  return s;
}

inline AffineScale fit_affine(const float* x, const float* weights, const AffineSearch& search) {
  float low = 0.0F, high = x[0], sum_w = 0.0F, sum_x = 0.0F;
  for (int i = 0; i < kGroup; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
    sum_w += weights[i];
    sum_x += weights[i] * x[i];
  }
  AffineScale best{(high - low) / search.levels, -low};
  if (!(inverse(best.scale) > 0.0F)) return {0.0F, -low};
  float best_error = affine_error(x, weights, best, search.levels);
  for (int k = 0; k <= search.num_steps; ++k) {
    const float steps = search.levels + search.first + 0.1F * static_cast<float>(k);
    const AffineScale s =
        solve_affine(x, weights, low, steps / (high - low), search.levels, sum_w, sum_x);
    if (!(s.scale > 0.0F)) continue;
    const float error = affine_error(x, weights, s, search.levels);
    if (error < best_error) {
      best_error = error;
      best = s;
    }
  }
  return best;
}

// Six-bit multiples of d and dmin.
struct PackedScale {
  int scale = 0, minimum = 0;
};

inline AffineScale unpacked(PackedScale p, float d, float dmin) {
  return {d * static_cast<float>(p.scale), dmin * static_cast<float>(p.minimum)};
}

// The best of the multiples around `wanted`.
inline PackedScale pack_scale(const float* x, const float* weights, AffineScale wanted, float d,
                              float dmin, float levels) {
  const auto nearest = [](float value, float unit) {
    return static_cast<int>(clamped(rounded(value * inverse(unit)), 0.0F, 63.0F));
  };
  const int scale = nearest(wanted.scale, d), minimum = nearest(wanted.minimum, dmin);
  PackedScale best{scale, minimum};
  float best_error = affine_error(x, weights, unpacked(best, d, dmin), levels);
  for (int s = std::max(scale - 1, 0); s <= std::min(scale + 1, 63); ++s) {
    for (int m = std::max(minimum - 1, 0); m <= std::min(minimum + 1, 63); ++m) {
      const float error = affine_error(x, weights, unpacked({s, m}, d, dmin), levels);
      if (error < best_error) {
        best_error = error;
        best = {s, m};
      }
    }
  }
  return best;
}

// Eight pairs of six bits in twelve bytes: the first four plainly, the upper bits of the others
// above them.
inline void store_scales(const std::array<PackedScale, kNumGroups>& packed, Bytes out) {
  for (int j = 0; j < 4; ++j) {
    const PackedScale a = packed[j], b = packed[j + 4];
    out[j] = static_cast<std::uint8_t>(a.scale | (b.scale >> 4) << 6);
    out[j + 4] = static_cast<std::uint8_t>(a.minimum | (b.minimum >> 4) << 6);
    out[j + 8] = static_cast<std::uint8_t>((b.scale & 15) | (b.minimum & 15) << 4);
  }
}

// Writes d, dmin and the scales to out[0, 16) and gives the q.
inline void fit_affine_block(const float* x, const AffineSearch& search, Bytes out,
                             std::array<std::uint8_t, kBlock>& quants) {
  std::array<std::array<float, kGroup>, kNumGroups> weights;
  std::array<AffineScale, kNumGroups> wanted;
  float max_scale = 0.0F, max_minimum = 0.0F;
  for (int j = 0; j < kNumGroups; ++j) {
    weigh(x + kGroup * j, weights[j]);
    wanted[j] = fit_affine(x + kGroup * j, weights[j].data(), search);
    max_scale = std::max(max_scale, wanted[j].scale);
    max_minimum = std::max(max_minimum, wanted[j].minimum);
  }
  store_half(out, max_scale / 63.0F);
  store_half(out + 2, max_minimum / 63.0F);
  const float d = float_of_half(half_of_float(max_scale / 63.0F));
  const float dmin = float_of_half(half_of_float(max_minimum / 63.0F));
  std::array<PackedScale, kNumGroups> packed;
  for (int j = 0; j < kNumGroups; ++j) {
    const float* group = x + kGroup * j;
    packed[j] = pack_scale(group, weights[j].data(), wanted[j], d, dmin, search.levels);
    const AffineScale s = unpacked(packed[j], d, dmin);
    const float inverse_scale = inverse(s.scale);
    for (int i = 0; i < kGroup; ++i) {
      quants[kGroup * j + i] = static_cast<std::uint8_t>(
          clamped(rounded((group[i] + s.minimum) * inverse_scale), 0.0F, search.levels));
    }
  }
  store_scales(packed, out + 4);
}

// Low nibbles of 64 values in 32 bytes: a group and the next one above it.
inline void store_nibbles(const std::array<std::uint8_t, kBlock>& q, Bytes out) {
  for (int pair = 0; pair < kNumGroups / 2; ++pair) {
    for (int i = 0; i < kGroup; ++i) {
      const int at = 2 * kGroup * pair + i;
      out[kGroup * pair + i] = static_cast<std::uint8_t>((q[at] & 15) | (q[at + kGroup] & 15) << 4);
    }
  }
}

inline void pack_q4_k(const float* x, Bytes out) {
  std::array<std::uint8_t, kBlock> q;
  fit_affine_block(x, {.levels = 15.0F, .first = -1.0F, .num_steps = 20}, out, q);
  store_nibbles(q, out + 16);
}

inline void pack_q5_k(const float* x, Bytes out) {
  std::array<std::uint8_t, kBlock> q;
  fit_affine_block(x, {.levels = 31.0F, .first = -0.5F, .num_steps = 15}, out, q);
  std::memset(out + 16, 0, 32);
  for (int j = 0; j < kNumGroups; ++j) {
    for (int i = 0; i < kGroup; ++i) {
      out[16 + i] = static_cast<std::uint8_t>(out[16 + i] | (q[kGroup * j + i] >> 4) << j);
    }
  }
  store_nibbles(q, out + 48);
}

// --- Q6_K ---

constexpr int kSmallGroup = 16;
constexpr int kNumSmallGroups = kBlock / kSmallGroup;

// Weighted by x^2: relative errors count.
inline float symmetric_error(const float* x, float scale) {
  const float inverse_scale = inverse(scale);
  Lanes error;
  for_lanes<kSmallGroup>([&](int i, int lane) {
    const float q = clamped(rounded(x[i] * inverse_scale), -32.0F, 31.0F);
    const float difference = scale * q - x[i];
    error.value[lane] += x[i] * x[i] * difference * difference;
  });
  return error.sum();
}

inline float fit_symmetric(const float* x) {
  const float extreme = extreme_of(x, kSmallGroup);
  if (std::abs(extreme) < 1e-15F) return 0.0F;
  float best_scale = 0.0F, best_gain = -1.0F;
  for (int k = -9; k <= 9; ++k) {
    const float inverse_step = -(32.0F + 0.1F * static_cast<float>(k)) / extreme;
    Lanes lx, l2;
    for_lanes<kSmallGroup>([&](int i, int lane) {
      const float q = clamped(rounded(inverse_step * x[i]), -32.0F, 31.0F), w = x[i] * x[i];
      lx.value[lane] += w * x[i] * q;
      l2.value[lane] += w * q * q;
    });
    const float sum_lx = lx.sum(), sum_l2 = l2.sum();
    if (!(sum_l2 > 0.0F)) continue;
    const float scale = sum_lx / sum_l2;
    if (scale * sum_lx > best_gain) {
      best_gain = scale * sum_lx;
      best_scale = scale;
    }
  }
  return best_scale;
}

inline int pack_symmetric_scale(const float* x, float wanted, float d) {
  const int nearest = static_cast<int>(clamped(rounded(wanted * inverse(d)), -128.0F, 127.0F));
  int best = nearest;
  float best_error = symmetric_error(x, d * static_cast<float>(nearest));
  for (int s = std::max(nearest - 1, -128); s <= std::min(nearest + 1, 127); ++s) {
    const float error = symmetric_error(x, d * static_cast<float>(s));
    if (error < best_error) {
      best_error = error;
      best = s;
    }
  }
  return best;
}

// Two bits above each nibble; four groups of 32 share the bytes of a half block.
inline void store_six_bits(const std::array<std::uint8_t, kBlock>& q, Bytes out) {
  for (int half = 0; half < 2; ++half) {
    const std::uint8_t* in = q.data() + 128 * half;
    Bytes low = out + 64 * half, high = out + 128 + 32 * half;
    for (int i = 0; i < 32; ++i) {
      low[i] = static_cast<std::uint8_t>((in[i] & 15) | (in[i + 64] & 15) << 4);
      low[i + 32] = static_cast<std::uint8_t>((in[i + 32] & 15) | (in[i + 96] & 15) << 4);
      high[i] = static_cast<std::uint8_t>(in[i] >> 4 | (in[i + 32] >> 4) << 2 |
                                          (in[i + 64] >> 4) << 4 | (in[i + 96] >> 4) << 6);
    }
  }
}

inline void pack_q6_k(const float* x, Bytes out) {
  std::array<float, kNumSmallGroups> wanted;
  for (int g = 0; g < kNumSmallGroups; ++g) wanted[g] = fit_symmetric(x + kSmallGroup * g);
  const float unit = extreme_of(wanted.data(), kNumSmallGroups) / -128.0F;
  store_half(out + 208, unit);
  const float d = float_of_half(half_of_float(unit));
  std::array<std::uint8_t, kBlock> quants;
  for (int g = 0; g < kNumSmallGroups; ++g) {
    const float* group = x + kSmallGroup * g;
    const int packed = pack_symmetric_scale(group, wanted[g], d);
    out[192 + g] = static_cast<std::uint8_t>(static_cast<std::int8_t>(packed));
    const float inverse_scale = inverse(d * static_cast<float>(packed));
    for (int i = 0; i < kSmallGroup; ++i) {
      quants[kSmallGroup * g + i] = static_cast<std::uint8_t>(
          clamped(rounded(group[i] * inverse_scale), -32.0F, 31.0F) + 32.0F);
    }
  }
  store_six_bits(quants, out);
}

// --- plain types ---

inline void pack_float32(const float* x, Bytes out) { std::memcpy(out, x, sizeof *x); }
inline void pack_half(const float* x, Bytes out) { store_half(out, *x); }
inline void pack_bfloat16(const float* x, Bytes out) {
  const std::uint16_t bits = bfloat16_of_float(*x);
  std::memcpy(out, &bits, sizeof bits);
}

template <std::size_t kValues, std::size_t kBytes, void (*kPack)(const float*, Bytes)>
inline void pack_all(const float* in, std::size_t count, Bytes out) {
  for (std::size_t i = 0; i < count / kValues; ++i) kPack(in + i * kValues, out + i * kBytes);
}

AURUM_MULTIVERSION
void pack(DType dtype, const float* in, std::size_t count, Bytes out) {
  switch (dtype) {
    case DType::kFloat32:
      return pack_all<1, 4, pack_float32>(in, count, out);
    case DType::kFloat16:
      return pack_all<1, 2, pack_half>(in, count, out);
    case DType::kBFloat16:
      return pack_all<1, 2, pack_bfloat16>(in, count, out);
    case DType::kQ8_0:
      return pack_all<32, 34, pack_q8_0>(in, count, out);
    case DType::kQ4_0:
      return pack_all<32, 18, pack_q4_0>(in, count, out);
    case DType::kQ5_0:
      return pack_all<32, 22, pack_q5_0>(in, count, out);
    case DType::kQ5_1:
      return pack_all<32, 24, pack_q5_1>(in, count, out);
    case DType::kQ4_K:
      return pack_all<256, 144, pack_q4_k>(in, count, out);
    case DType::kQ5_K:
      return pack_all<256, 176, pack_q5_k>(in, count, out);
    case DType::kQ6_K:
      return pack_all<256, 210, pack_q6_k>(in, count, out);
    default:
      break;
  }
}

}  // namespace

bool can_quantize(DType dtype) {
  constexpr std::array kTypes = {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kQ8_0,
                                 DType::kQ4_0,    DType::kQ5_0,    DType::kQ5_1,     DType::kQ4_K,
                                 DType::kQ5_K,    DType::kQ6_K};
  return std::find(kTypes.begin(), kTypes.end(), dtype) != kTypes.end();
}

void quantize(DType dtype, std::span<const float> values, std::span<std::byte> out) {
  AURUM_CHECK(can_quantize(dtype), "{}", dtype_name(dtype));
  AURUM_CHECK(values.size() % block_values(dtype) == 0 &&
                  out.size() == values.size() / block_values(dtype) * block_bytes(dtype),
              "{} values of {} into {} bytes", values.size(), dtype_name(dtype), out.size());
  pack(dtype, values.data(), values.size(), reinterpret_cast<Bytes>(out.data()));
}

}  // namespace aurum::weights

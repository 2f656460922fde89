// Expands stored values to float32 and bfloat16. Products and sums are rounded one by one, in
// ggml's order, so this file is compiled without contraction to FMA.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "base/error.h"
#include "base/parallel.h"
#include "weights/checkpoint.h"
#include "weights/float_bits.h"
#include "weights/multiversion.h"

namespace aurum::weights {
namespace {

using Bytes = const std::uint8_t*;

constexpr std::size_t kMaxBlock = 256;

template <typename T>
inline T load(Bytes bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

inline float half_at(Bytes bytes) { return float_of_half(load<std::uint16_t>(bytes)); }

// --- one block each; layouts as in ggml-quants.c ---

inline void expand_q4_0(Bytes in, float* out) {
  const float d = half_at(in);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>((in[2 + i] & 15) - 8);
  for (int i = 0; i < 16; ++i) out[i + 16] = d * static_cast<float>((in[2 + i] >> 4) - 8);
}

inline void expand_q4_1(Bytes in, float* out) {
  const float d = half_at(in), m = half_at(in + 2);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>(in[4 + i] & 15) + m;
  for (int i = 0; i < 16; ++i) out[i + 16] = d * static_cast<float>(in[4 + i] >> 4) + m;
}

// The value of 5 bits: 4 from qs, the fifth from bit i of `high`.
inline int five_bits(Bytes qs, std::uint32_t high, int i) {
  const int low = i < 16 ? qs[i] & 15 : qs[i - 16] >> 4;
  return low | static_cast<int>((high >> i) & 1U) << 4;
}

inline void expand_q5_0(Bytes in, float* out) {
  const float d = half_at(in);
  const auto high = load<std::uint32_t>(in + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(five_bits(in + 6, high, i) - 16);
    out[i + 16] = d * static_cast<float>(five_bits(in + 6, high, i + 16) - 16);
  }
}

inline void expand_q5_1(Bytes in, float* out) {
  const float d = half_at(in), m = half_at(in + 2);
  const auto high = load<std::uint32_t>(in + 4);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(five_bits(in + 8, high, i)) + m;
    out[i + 16] = d * static_cast<float>(five_bits(in + 8, high, i + 16)) + m;
  }
}

inline void expand_q8_0(Bytes in, float* out) {
  const float d = half_at(in);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<std::int8_t>(in[2 + i]));
}

// A power of two, biased by 128 since the values are doubled; the two smallest are subnormal.
inline float half_of_power(std::uint8_t exponent) {
  return std::bit_cast<float>(exponent < 2 ? 0x00200000U << exponent
                                           : static_cast<std::uint32_t>(exponent - 1) << 23);
}

// Floats of two exponent bits and one of mantissa, doubled, under one power of two.
inline void expand_mxfp4(Bytes in, float* out) {
  constexpr std::array<std::int8_t, 16> kDoubled = {0, 1,  2,  3,  4,  6,  8,  12,
                                                    0, -1, -2, -3, -4, -6, -8, -12};
  const float d = half_of_power(in[0]);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(kDoubled[in[1 + i] & 15]);
    out[i + 16] = d * static_cast<float>(kDoubled[in[1 + i] >> 4]);
  }
}

inline void expand_q2_k(Bytes in, float* out) {
  const float d = half_at(in + 80), dmin = half_at(in + 82);
  for (int s = 0; s < 8; ++s) {
    std::array<float, 32> quants;
    const Bytes qs = in + 16 + 32 * (s / 4);
    const int shift = 2 * (s % 4);
    for (int i = 0; i < 32; ++i) quants[i] = static_cast<float>((qs[i] >> shift) & 3);
    for (int g = 0; g < 2; ++g) {
      const float scale = d * static_cast<float>(in[2 * s + g] & 15);
      const float minimum = dmin * static_cast<float>(in[2 * s + g] >> 4);
      const float* q = quants.data() + 16 * g;
      float* values = out + 32 * s + 16 * g;
      for (int i = 0; i < 16; ++i) values[i] = scale * q[i] - minimum;
    }
  }
}

// Scale g of the sixteen 6-bit ones in twelve bytes.
inline int unpack_q3_scale(Bytes packed, int g) {
  const int low = g < 8 ? packed[g] & 15 : packed[g - 8] >> 4;
  const int high = (packed[8 + g % 4] >> (2 * (g / 4))) & 3;
  return (low | high << 4) - 32;
}

// Multiplies 32 values, 16 by each of two scales.
inline void scale_halves(const std::array<float, 32>& quants, float first, float second,
                         float* out) {
  for (int i = 0; i < 16; ++i) out[i] = first * quants[i];
  for (int i = 16; i < 32; ++i) out[i] = second * quants[i];
}

inline void expand_q3_k(Bytes in, float* out) {
  const Bytes packed = in + 96;
  const float d = half_at(in + 108);
  for (int s = 0; s < 8; ++s) {
    std::array<float, 32> quants;
    const Bytes qs = in + 32 + 32 * (s / 4);
    const int shift = 2 * (s % 4);
    for (int i = 0; i < 32; ++i) {
      const int q = ((qs[i] >> shift) & 3) + (((in[i] >> s) & 1) << 2) - 4;
      quants[i] = static_cast<float>(q);
    }
    scale_halves(quants, d * static_cast<float>(unpack_q3_scale(packed, 2 * s)),
                 d * static_cast<float>(unpack_q3_scale(packed, 2 * s + 1)), out + 32 * s);
  }
}

struct ScaleAndMin {
  float scale, minimum;
};

// Entry j of the twelve bytes that hold eight 6-bit scales and minima.
inline ScaleAndMin unpack_scale(Bytes packed, int j) {
  if (j < 4) {
    return {static_cast<float>(packed[j] & 63), static_cast<float>(packed[j + 4] & 63)};
  }
  return {static_cast<float>((packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4),
          static_cast<float>((packed[j + 4] >> 4) | (packed[j] >> 6) << 4)};
}

inline void expand_q4_k(Bytes in, float* out) {
  const float d = half_at(in), dmin = half_at(in + 2);
  for (int j = 0; j < 8; ++j) {
    const ScaleAndMin entry = unpack_scale(in + 4, j);
    const float scale = d * entry.scale, minimum = dmin * entry.minimum;
    const Bytes qs = in + 16 + 32 * (j / 2);
    const int shift = 4 * (j % 2);
    for (int i = 0; i < 32; ++i) {
      out[32 * j + i] = scale * static_cast<float>((qs[i] >> shift) & 15) - minimum;
    }
  }
}

inline void expand_q5_k(Bytes in, float* out) {
  const float d = half_at(in), dmin = half_at(in + 2);
  const Bytes high = in + 16;
  for (int j = 0; j < 8; ++j) {
    const ScaleAndMin entry = unpack_scale(in + 4, j);
    const float scale = d * entry.scale, minimum = dmin * entry.minimum;
    const Bytes qs = in + 48 + 32 * (j / 2);
    const int shift = 4 * (j % 2);
    for (int i = 0; i < 32; ++i) {
      const int q = ((qs[i] >> shift) & 15) | ((high[i] >> j) & 1) << 4;
      out[32 * j + i] = scale * static_cast<float>(q) - minimum;
    }
  }
}

inline void expand_q6_k(Bytes in, float* out) {
  const float d = half_at(in + 208);
  const auto scale = [&](int g) {
    return d * static_cast<float>(static_cast<std::int8_t>(in[192 + g]));
  };
  for (int s = 0; s < 8; ++s) {
    const int half = s / 4, t = s % 4;
    const Bytes low = in + 64 * half + 32 * (t % 2), high = in + 128 + 32 * half;
    const int low_shift = 4 * (t / 2), high_shift = 2 * t;
    std::array<float, 32> quants;
    for (int i = 0; i < 32; ++i) {
      const int q = ((low[i] >> low_shift) & 15) | ((high[i] >> high_shift) & 3) << 4;
      quants[i] = static_cast<float>(q - 32);
    }
    scale_halves(quants, scale(2 * s), scale(2 * s + 1), out + 32 * s);
  }
}

// --- plain types ---

inline void expand_half(Bytes in, float* out) { *out = half_at(in); }
inline void expand_bfloat16(Bytes in, float* out) {
  *out = std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(in)) << 16);
}
inline void expand_float64(Bytes in, float* out) { *out = static_cast<float>(load<double>(in)); }
inline void expand_float32(Bytes in, float* out) { *out = load<float>(in); }

// The value of an 8-bit float with `mantissa_bits` of mantissa.
float float_of_byte(unsigned byte, int mantissa_bits, bool has_infinity) {
  const int exponent_bits = 7 - mantissa_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int mantissa = static_cast<int>(byte) & ((1 << mantissa_bits) - 1);
  const int exponent = static_cast<int>(byte & 0x7F) >> mantissa_bits;
  const float sign = (byte & 0x80) != 0 ? -1.0F : 1.0F;
  if (has_infinity && exponent == (1 << exponent_bits) - 1) {
    return mantissa == 0 ? sign * INFINITY : NAN;
  }
  if (!has_infinity && (byte & 0x7F) == 0x7F) return NAN;
  if (exponent == 0) {
    return sign * std::ldexp(static_cast<float>(mantissa), 1 - bias - mantissa_bits);
  }
  return sign * std::ldexp(static_cast<float>(mantissa + (1 << mantissa_bits)),
                           exponent - bias - mantissa_bits);
}

std::array<float, 256> make_byte_table(int mantissa_bits, bool has_infinity) {
  std::array<float, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    table[byte] = float_of_byte(byte, mantissa_bits, has_infinity);
  }
  return table;
}

void expand_bytes(Bytes in, std::size_t count, const std::array<float, 256>& table, float* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = table[in[i]];
}

void expand_float8(DType dtype, Bytes in, std::size_t count, float* out) {
  static const std::array<float, 256> e4m3 = make_byte_table(3, false);
  static const std::array<float, 256> e5m2 = make_byte_table(2, true);
  expand_bytes(in, count, dtype == DType::kFloat8E4M3 ? e4m3 : e5m2, out);
}

template <std::size_t kValues, std::size_t kBytes, void (*kExpand)(Bytes, float*)>
inline void expand_all(Bytes in, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count / kValues; ++i) kExpand(in + i * kBytes, out + i * kValues);
}

AURUM_MULTIVERSION
void expand(DType dtype, Bytes in, std::size_t count, float* out) {
  switch (dtype) {
    case DType::kQ4_0:
      return expand_all<32, 18, expand_q4_0>(in, count, out);
    case DType::kQ4_1:
      return expand_all<32, 20, expand_q4_1>(in, count, out);
    case DType::kQ5_0:
      return expand_all<32, 22, expand_q5_0>(in, count, out);
    case DType::kQ5_1:
      return expand_all<32, 24, expand_q5_1>(in, count, out);
    case DType::kQ8_0:
      return expand_all<32, 34, expand_q8_0>(in, count, out);
    case DType::kQ2_K:
      return expand_all<256, 84, expand_q2_k>(in, count, out);
    case DType::kQ3_K:
      return expand_all<256, 110, expand_q3_k>(in, count, out);
    case DType::kQ4_K:
      return expand_all<256, 144, expand_q4_k>(in, count, out);
    case DType::kQ5_K:
      return expand_all<256, 176, expand_q5_k>(in, count, out);
    case DType::kQ6_K:
      return expand_all<256, 210, expand_q6_k>(in, count, out);
    case DType::kMXFP4:
      return expand_all<32, 17, expand_mxfp4>(in, count, out);
    case DType::kFloat16:
      return expand_all<1, 2, expand_half>(in, count, out);
    case DType::kBFloat16:
      return expand_all<1, 2, expand_bfloat16>(in, count, out);
    case DType::kFloat64:
      return expand_all<1, 8, expand_float64>(in, count, out);
    case DType::kFloat32:
      return expand_all<1, 4, expand_float32>(in, count, out);
    default:
      break;
  }
}

AURUM_MULTIVERSION
void round_to_bfloat16(const float* in, std::size_t count, std::uint16_t* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = bfloat16_of_float(in[i]);
}

bool is_float8(DType dtype) { return dtype == DType::kFloat8E4M3 || dtype == DType::kFloat8E5M2; }

// The first of the bytes that hold `count` values from `begin` on.
Bytes checked_source(const TensorView& tensor, std::int64_t begin, std::size_t count) {
  if (tensor.dtype >= DType::kInt64 && tensor.dtype <= DType::kBool) {
    throw FormatError(
        fmt::format("tensor {}: {} cannot be used as weights; expected a float or "
                    "ggml block type.",
                    tensor.name, dtype_name(tensor.dtype)));
  }
  const std::size_t values = block_values(tensor.dtype), bytes = block_bytes(tensor.dtype);
  const auto first = static_cast<std::size_t>(begin);
  AURUM_CHECK(begin >= 0 && first % values == 0 && count % values == 0,
              "tensor {}: begin {}, count {}", tensor.name, begin, count);
  const std::size_t available = tensor.bytes.size() / bytes * values;
  AURUM_CHECK(first <= available && count <= available - first, "tensor {}: {} + {} > {}",
              tensor.name, begin, count, available);
  return reinterpret_cast<Bytes>(tensor.bytes.data()) + first / values * bytes;
}

}  // namespace

std::int64_t TensorView::num_values() const {
  std::int64_t values = 1;
  for (const std::int64_t size : shape) values *= size;
  return values;
}

void dequantize_to_float32(const TensorView& tensor, std::int64_t begin, std::span<float> out) {
  const Bytes in = checked_source(tensor, begin, out.size());
  if (is_float8(tensor.dtype)) return expand_float8(tensor.dtype, in, out.size(), out.data());
  expand(tensor.dtype, in, out.size(), out.data());
}

void dequantize_to_bfloat16(const TensorView& tensor, std::int64_t begin,
                            std::span<std::uint16_t> out) {
  const Bytes in = checked_source(tensor, begin, out.size());
  if (tensor.dtype == DType::kBFloat16) {
    if (!out.empty()) std::memcpy(out.data(), in, out.size_bytes());
    return;
  }
  // Small enough for the first-level cache, and whole blocks of every type.
  constexpr std::size_t kTile = 4 * kMaxBlock;
  alignas(64) std::array<float, kTile> tile;
  const std::size_t values = block_values(tensor.dtype), bytes = block_bytes(tensor.dtype);
  for (std::size_t done = 0; done < out.size(); done += kTile) {
    const std::size_t count = std::min(kTile, out.size() - done);
    const Bytes source = in + done / values * bytes;
    if (is_float8(tensor.dtype)) {
      expand_float8(tensor.dtype, source, count, tile.data());
    } else {
      expand(tensor.dtype, source, count, tile.data());
    }
    round_to_bfloat16(tile.data(), count, out.data() + done);
  }
}

namespace {

// Calls dequantize(first, values) for whole blocks, a stretch of them per thread.
template <typename T, typename Dequantize>
void in_parallel(const TensorView& tensor, std::int64_t begin, std::span<T> out,
                 Dequantize dequantize) {
  constexpr std::int64_t kValuesPerTask = 1 << 14;
  const auto block = static_cast<std::int64_t>(block_values(tensor.dtype));
  parallel_for(static_cast<std::int64_t>(out.size()) / block,
               std::max<std::int64_t>(1, kValuesPerTask / block),
               [&](std::int64_t first, std::int64_t last) {
                 const auto offset = static_cast<std::size_t>(first * block);
                 const auto count = static_cast<std::size_t>((last - first) * block);
                 dequantize(begin + first * block, out.subspan(offset, count));
               });
}

}  // namespace

void dequantize_in_parallel(const TensorView& tensor, std::int64_t begin, std::span<float> out) {
  in_parallel(tensor, begin, out, [&](std::int64_t first, std::span<float> values) {
    dequantize_to_float32(tensor, first, values);
  });
}

void dequantize_in_parallel(const TensorView& tensor, std::int64_t begin,
                            std::span<std::uint16_t> out) {
  in_parallel(tensor, begin, out, [&](std::int64_t first, std::span<std::uint16_t> values) {
    dequantize_to_bfloat16(tensor, first, values);
  });
}

}  // namespace aurum::weights

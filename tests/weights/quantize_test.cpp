#include "weights/quantize.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "weights/checkpoint.h"
#include "weights/float_bits.h"

namespace aurum::weights {
namespace {

constexpr std::size_t kCount = 64 * 512;

// The values of tools/quantize_oracle.py, which also printed the constants below.
std::vector<float> bell_shaped_values() {
  std::vector<float> values(kCount);
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < kCount; ++i) {
    std::int64_t total = 0;
    for (int k = 0; k < 4; ++k) {
      state = state * 1664525U + 1013904223U;
      total += state >> 16;
    }
    const int power = 18 + static_cast<int>(i / 64 % 5);
    values[i] = std::ldexp(static_cast<float>(total - 131070), -power);
  }
  return values;
}

std::vector<std::byte> quantized(DType dtype, std::span<const float> values) {
  std::vector<std::byte> bytes(values.size() / block_values(dtype) * block_bytes(dtype));
  quantize(dtype, values, bytes);
  return bytes;
}

std::vector<float> there_and_back(DType dtype, std::span<const float> values) {
  const auto bytes = quantized(dtype, values);
  std::vector<float> back(values.size());
  dequantize_to_float32({"t", dtype, {static_cast<std::int64_t>(values.size())}, bytes, nullptr}, 0,
                        back);
  return back;
}

double root_mean_square_error(DType dtype, std::span<const float> values) {
  const std::vector<float> back = there_and_back(dtype, values);
  double total = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    total += std::pow(static_cast<double>(back[i]) - values[i], 2);
  }
  return std::sqrt(total / static_cast<double>(values.size()));
}

std::uint64_t hash_of(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte byte : bytes) {
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3;
  }
  return hash;
}

TEST(Quantize, SimpleTypesAreBitEqualToTheGgufPackage) {
  struct Case {
    DType dtype;
    std::uint64_t hash;
  };
  const auto values = bell_shaped_values();
  for (const Case& c :
       {Case{DType::kFloat16, 0xf219f130a6f40eac}, Case{DType::kBFloat16, 0xf15c7e8b90199c85},
        Case{DType::kQ8_0, 0x6406199e665552e7}, Case{DType::kQ4_0, 0x8283c76c093e86a8},
        Case{DType::kQ5_0, 0x61dbe55e8bd64f2}, Case{DType::kQ5_1, 0xe76603eae3e00540}}) {
    EXPECT_EQ(hash_of(quantized(c.dtype, values)), c.hash) << dtype_name(c.dtype);
  }
}

TEST(Quantize, KTypesAreNoWorseThanGgml) {
  struct Case {
    DType dtype;
    double ggml_error;
  };
  const auto values = bell_shaped_values();
  for (const Case& c :
       {Case{DType::kQ4_K, 0.005190484715787005}, Case{DType::kQ5_K, 0.0026041707428397435},
        Case{DType::kQ6_K, 0.0012823097147343994}}) {
    EXPECT_LE(root_mean_square_error(c.dtype, values), c.ggml_error) << dtype_name(c.dtype);
    EXPECT_GT(root_mean_square_error(c.dtype, values), c.ggml_error * 0.9) << dtype_name(c.dtype);
  }
}

TEST(Quantize, EveryBlockTypeKeepsZerosAndConstants) {
  for (const DType dtype : {DType::kQ8_0, DType::kQ4_0, DType::kQ5_0, DType::kQ5_1, DType::kQ4_K,
                            DType::kQ5_K, DType::kQ6_K}) {
    EXPECT_EQ(there_and_back(dtype, std::vector<float>(256, 0.0F)), std::vector<float>(256, 0.0F))
        << dtype_name(dtype);
    for (const float constant : {-0.75F, 0.75F, 1e-30F}) {
      for (const float back : there_and_back(dtype, std::vector<float>(256, constant))) {
        EXPECT_NEAR(back, constant, 0.08F * std::abs(constant) + 1e-7F) << dtype_name(dtype);
      }
    }
  }
}

TEST(Quantize, HalvesRoundToNearestEven) {
  struct Case {
    float value;
    std::uint16_t half;
  };
  for (const Case& c : {Case{1.0F, 0x3C00}, Case{-0.0F, 0x8000}, Case{1.0F + 0x1p-11F, 0x3C00},
                        Case{1.0F + 3 * 0x1p-11F, 0x3C02}, Case{65504.0F, 0x7BFF},
                        Case{65519.0F, 0x7BFF}, Case{65520.0F, 0x7C00}, Case{INFINITY, 0x7C00},
                        Case{0x1p-14F, 0x0400}, Case{0x1p-24F, 0x0001}, Case{0x1p-25F, 0x0000},
                        Case{3 * 0x1p-25F, 0x0002}, Case{0x1p-14F - 0x1p-25F, 0x0400}}) {
    EXPECT_EQ(half_of_float(c.value), c.half) << c.value;
  }
  EXPECT_EQ(half_of_float(NAN) & 0x7FFF, 0x7E00);
  for (std::uint32_t half = 0; half < 0x7C00; ++half) {
    ASSERT_EQ(half_of_float(float_of_half(static_cast<std::uint16_t>(half))), half);
  }
}

}  // namespace
}  // namespace aurum::weights

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "base/error.h"
#include "weights/checkpoint.h"

namespace aurum::weights {
namespace {

// Sixteen pseudo-random blocks per type, and the FNV-1a hashes of what the gguf Python package
// (0.19, bit-equal to ggml) expands them to, as float32 and rounded to bfloat16.
struct Vector {
  DType dtype;
  std::vector<std::size_t> scales;  // where in a block its float16 scales are
  std::uint64_t float32_hash, bfloat16_hash;
};

const std::vector<Vector> kVectors = {
    {DType::kQ4_0, {0}, 0x85ecd91c23e7b3fd, 0xc6953b0c8d291783},
    {DType::kQ4_1, {0, 2}, 0x47b6db13442d952d, 0x865127c0bc0ff1d2},
    {DType::kQ5_0, {0}, 0x48b79b9aad479eff, 0xb1c1adf3cac52340},
    {DType::kQ5_1, {0, 2}, 0x2a088a4ee6955eff, 0xf19dd2e6c0cbbeb5},
    {DType::kQ8_0, {0}, 0x208469c3381bfe64, 0x517935104b9f8324},
    {DType::kMXFP4, {}, 0x7e0dc88167c8f655, 0x6d6543c49946f2b5},
    {DType::kQ2_K, {80, 82}, 0x91308c4b3dd25539, 0x9aa7e508c85953d5},
    {DType::kQ3_K, {108}, 0x83f953bdaae42637, 0x0bf7236366b8fb01},
    {DType::kQ4_K, {0, 2}, 0x0406a301a2829498, 0xbcc24524f798d01d},
    {DType::kQ5_K, {0, 2}, 0x3b7c31c4bd38c416, 0x6f3e54333cfd8265},
    {DType::kQ6_K, {208}, 0xa7b5942ac1133b1d, 0xbb876d014a31d7bd},
};

constexpr std::size_t kBlocks = 16;

std::vector<std::byte> make_blocks(const Vector& vector) {
  const std::size_t size = block_bytes(vector.dtype);
  std::vector<std::byte> bytes(kBlocks * size);
  std::uint32_t state = 1;
  for (std::byte& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  for (std::size_t block = 0; block < kBlocks; ++block) {
    // Keeps the scales finite.
    for (const std::size_t at : vector.scales) bytes[block * size + at + 1] &= std::byte{0xBF};
  }
  return bytes;
}

template <typename T>
std::uint64_t hash_of(const std::vector<T>& values) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte byte : std::as_bytes(std::span(values))) {
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3;
  }
  return hash;
}

TensorView view_of(DType dtype, std::int64_t count, std::span<const std::byte> bytes) {
  return {"t", dtype, {count}, bytes, nullptr};
}

TEST(Dequantize, EveryBlockTypeIsBitEqualToGgml) {
  for (const Vector& vector : kVectors) {
    SCOPED_TRACE(dtype_name(vector.dtype));
    const auto bytes = make_blocks(vector);
    const std::size_t count = kBlocks * block_values(vector.dtype);
    const TensorView view = view_of(vector.dtype, static_cast<std::int64_t>(count), bytes);
    std::vector<float> floats(count);
    dequantize_to_float32(view, 0, floats);
    EXPECT_EQ(hash_of(floats), vector.float32_hash);
    std::vector<std::uint16_t> rounded(count);
    dequantize_to_bfloat16(view, 0, rounded);
    EXPECT_EQ(hash_of(rounded), vector.bfloat16_hash);
  }
}

TEST(Dequantize, APartEqualsThatPartOfTheWhole) {
  for (const Vector& vector : kVectors) {
    SCOPED_TRACE(dtype_name(vector.dtype));
    const auto bytes = make_blocks(vector);
    const std::size_t block = block_values(vector.dtype);
    const TensorView view =
        view_of(vector.dtype, static_cast<std::int64_t>(kBlocks * block), bytes);
    std::vector<float> whole(kBlocks * block), part(2 * block);
    dequantize_to_float32(view, 0, whole);
    dequantize_to_float32(view, static_cast<std::int64_t>(3 * block), part);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 3 * block));
  }
}

TEST(Dequantize, HalfFloatsCoverSubnormalsAndSpecials) {
  const std::vector<std::uint16_t> halves = {0x3C00, 0x8001, 0x03FF, 0xFBFF, 0x7C00, 0x7E00};
  std::vector<float> out(halves.size());
  dequantize_to_float32(view_of(DType::kFloat16, 6, std::as_bytes(std::span(halves))), 0, out);
  EXPECT_EQ(out[0], 1.0F);
  EXPECT_EQ(out[1], -0x1p-24F);
  EXPECT_EQ(out[2], 1023 * 0x1p-24F);
  EXPECT_EQ(out[3], -65504.0F);
  EXPECT_TRUE(std::isinf(out[4]));
  EXPECT_TRUE(std::isnan(out[5]));
}

TEST(Dequantize, EightBitFloats) {
  const std::vector<std::uint8_t> bytes = {0x38, 0x7E, 0x01, 0xFF};
  std::vector<float> out(4);
  dequantize_to_float32(view_of(DType::kFloat8E4M3, 4, std::as_bytes(std::span(bytes))), 0, out);
  EXPECT_EQ(out[0], 1.0F);
  EXPECT_EQ(out[1], 448.0F);
  EXPECT_EQ(out[2], 0x1p-9F);
  EXPECT_TRUE(std::isnan(out[3]));
  dequantize_to_float32(view_of(DType::kFloat8E5M2, 4, std::as_bytes(std::span(bytes))), 0, out);
  EXPECT_EQ(out[0], 0.5F);
  EXPECT_TRUE(std::isnan(out[1]));
  EXPECT_EQ(out[2], 0x1p-16F);
}

TEST(Dequantize, Bfloat16RoundsToNearestEvenAndKeepsNan) {
  const std::vector<float> values = {1.0F + 0x1p-8F, 1.0F + 3 * 0x1p-8F, NAN, 3.4e38F};
  std::vector<std::uint16_t> out(4);
  dequantize_to_bfloat16(view_of(DType::kFloat32, 4, std::as_bytes(std::span(values))), 0, out);
  EXPECT_EQ(out[0], 0x3F80);
  EXPECT_EQ(out[1], 0x3F82);
  EXPECT_EQ(out[2], 0x7FC0);
  EXPECT_EQ(out[3], 0x7F80);
}

TEST(Dequantize, RefusesIntegersAndReadsPastTheEnd) {
  const std::vector<std::int32_t> values = {1, 2};
  std::vector<float> out(2);
  const auto bytes = std::as_bytes(std::span(values));
  EXPECT_THROW(dequantize_to_float32(view_of(DType::kInt32, 2, bytes), 0, out), FormatError);
  EXPECT_THROW(dequantize_to_float32(view_of(DType::kFloat32, 2, bytes), 1, out), InternalError);
}

}  // namespace
}  // namespace aurum::weights

#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

// Metadata values as they lie in a GGUF file; for gguf.cpp, which finds them, and gguf_values.cpp,
// which reads them.
namespace aurum::weights {

// The numbers of the metadata value types.
enum GgufValueType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
  kNumTypes,
};
inline constexpr std::array<std::string_view, kNumTypes> kGgufTypeNames = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};
// 0: of variable size.
inline constexpr std::array<std::uint8_t, kNumTypes> kGgufTypeBytes = {1, 1, 2, 2, 4, 4, 4,
                                                                       1, 0, 0, 8, 8, 8};

template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace aurum::weights

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace aurum::weights {

// Element or block formats of tensors in files. The kQ* ones are ggml blocks along the last
// dimension.
enum class DType {
  kFloat64,
  kFloat32,
  kFloat16,
  kBFloat16,
  kFloat8E4M3,
  kFloat8E5M2,
  kInt64,
  kInt32,
  kInt16,
  kInt8,
  kUInt8,
  kBool,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kMXFP4,
};

std::string_view dtype_name(DType dtype);
bool is_block_quantized(DType dtype);
std::size_t block_values(DType dtype);  // values per block; 1 for plain types
std::size_t block_bytes(DType dtype);   // bytes per block; the element size for plain types

}  // namespace aurum::weights

#include "weights/tensor_size.h"

namespace aurum::weights {

std::optional<std::uint64_t> tensor_bytes(DType dtype, std::span<const std::int64_t> shape) {
  std::uint64_t values = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) return std::nullopt;
    if (__builtin_mul_overflow(values, static_cast<std::uint64_t>(size), &values)) {
      return std::nullopt;
    }
  }
  const std::uint64_t row = shape.empty() ? 1 : static_cast<std::uint64_t>(shape.back());
  if (row % block_values(dtype) != 0) return std::nullopt;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(values / block_values(dtype), block_bytes(dtype), &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

}  // namespace aurum::weights

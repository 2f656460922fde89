#include "weights/dtype.h"

#include <array>

#include "base/error.h"

namespace aurum::weights {
namespace {

struct Format {
  DType dtype;
  std::string_view name;
  std::uint16_t values;
  std::uint16_t bytes;
};

// In the order of the enumeration.
constexpr std::array kFormats = {
    Format{DType::kFloat64, "F64", 1, 8},        Format{DType::kFloat32, "F32", 1, 4},
    Format{DType::kFloat16, "F16", 1, 2},        Format{DType::kBFloat16, "BF16", 1, 2},
    Format{DType::kFloat8E4M3, "F8_E4M3", 1, 1}, Format{DType::kFloat8E5M2, "F8_E5M2", 1, 1},
    Format{DType::kInt64, "I64", 1, 8},          Format{DType::kInt32, "I32", 1, 4},
    Format{DType::kInt16, "I16", 1, 2},          Format{DType::kInt8, "I8", 1, 1},
    Format{DType::kUInt8, "U8", 1, 1},           Format{DType::kBool, "BOOL", 1, 1},
    Format{DType::kQ4_0, "Q4_0", 32, 18},        Format{DType::kQ4_1, "Q4_1", 32, 20},
    Format{DType::kQ5_0, "Q5_0", 32, 22},        Format{DType::kQ5_1, "Q5_1", 32, 24},
    Format{DType::kQ8_0, "Q8_0", 32, 34},        Format{DType::kQ2_K, "Q2_K", 256, 84},
    Format{DType::kQ3_K, "Q3_K", 256, 110},      Format{DType::kQ4_K, "Q4_K", 256, 144},
    Format{DType::kQ5_K, "Q5_K", 256, 176},      Format{DType::kQ6_K, "Q6_K", 256, 210},
    Format{DType::kMXFP4, "MXFP4", 32, 17},
};

constexpr bool formats_follow_the_enumeration() {
  for (std::size_t i = 0; i < kFormats.size(); ++i) {
    if (static_cast<std::size_t>(kFormats[i].dtype) != i) return false;
  }
  return true;
}
static_assert(formats_follow_the_enumeration());

const Format& format_of(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  AURUM_CHECK(index < kFormats.size(), "dtype {}", index);
  return kFormats[index];
}

}  // namespace

std::string_view dtype_name(DType dtype) { return format_of(dtype).name; }
bool is_block_quantized(DType dtype) { return format_of(dtype).values > 1; }
std::size_t block_values(DType dtype) { return format_of(dtype).values; }
std::size_t block_bytes(DType dtype) { return format_of(dtype).bytes; }

}  // namespace aurum::weights

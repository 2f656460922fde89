#include "weights/convert_tensor.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/parallel.h"
#include "weights/quantize.h"

namespace aurum::weights {
namespace {

constexpr std::int64_t kValuesPerPiece = std::int64_t{1} << 22;

void check_finite(std::span<const float> values, const std::string& name) {
  const bool good =
      std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
  if (good) return;
  throw FormatError(fmt::format(
      "tensor {} holds a value that is not finite. Train or fetch the model again.", name));
}

// Rows [begin, end) of `view`, converted into `out`.
void convert_rows(const TensorView& view, std::int64_t row_values, std::int64_t begin,
                  std::int64_t end, DType dtype, std::span<std::byte> out) {
  const std::size_t row_bytes =
      static_cast<std::size_t>(row_values) / block_values(dtype) * block_bytes(dtype);
  parallel_for(end - begin, std::max<std::int64_t>(1, 16384 / row_values),
               [&](std::int64_t first, std::int64_t last) {
                 std::vector<float> row(static_cast<std::size_t>(row_values));
                 for (std::int64_t r = first; r < last; ++r) {
                   dequantize_to_float32(view, (begin + r) * row_values, row);
                   if (is_block_quantized(dtype)) check_finite(row, view.name);
                   quantize(dtype, row,
                            out.subspan(static_cast<std::size_t>(r) * row_bytes, row_bytes));
                 }
               });
}

}  // namespace

void write_converted(const TensorView& view, DType dtype, const ByteSink& sink) {
  if (view.dtype == dtype) return sink(view.bytes);
  const std::int64_t row_values = view.shape.empty() ? 1 : view.shape.back();
  if (view.num_values() == 0) return;
  const std::int64_t rows = view.num_values() / row_values;
  const std::int64_t piece = std::clamp<std::int64_t>(kValuesPerPiece / row_values, 1, rows);
  const std::size_t row_bytes =
      static_cast<std::size_t>(row_values) / block_values(dtype) * block_bytes(dtype);
  std::vector<std::byte> out(static_cast<std::size_t>(piece) * row_bytes);
  for (std::int64_t begin = 0; begin < rows; begin += piece) {
    const std::int64_t end = std::min(rows, begin + piece);
    const auto part = std::span(out).first(static_cast<std::size_t>(end - begin) * row_bytes);
    convert_rows(view, row_values, begin, end, dtype, part);
    sink(part);
  }
}

}  // namespace aurum::weights

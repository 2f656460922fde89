#include "weights/expert_tensors.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "base/error.h"

namespace aurum::weights {

namespace {

// What a requested name asks for.
struct ExpertName {
  std::string layer_prefix;  // "model.layers.3.mlp."
  std::int64_t expert = 0;
  std::string_view matrix;  // gate_proj, up_proj or down_proj
  bool is_bias = false;

  std::string source() const {
    return layer_prefix + "experts." + (matrix == "down_proj" ? "down_proj" : "gate_up_proj");
  }
  std::string stack() const {
    return fmt::format("{}experts.{}{}", layer_prefix, matrix, is_bias ? ".bias" : ".weight");
  }
  // Every second row from the first one (gate) or the second one (up); all of them for down.
  std::int64_t first_row() const { return matrix == "up_proj" ? 1 : 0; }
  std::int64_t row_step() const { return matrix == "down_proj" ? 1 : 2; }
};

std::optional<ExpertName> parse_name(std::string_view name) {
  constexpr std::string_view kMiddle = ".mlp.experts.";
  const std::size_t middle = name.find(kMiddle);
  if (middle == name.npos) return std::nullopt;
  ExpertName parsed{.layer_prefix = std::string(name.substr(0, middle)) + ".mlp."};
  std::string_view rest = name.substr(middle + kMiddle.size());
  const auto number = std::from_chars(rest.data(), rest.data() + rest.size(), parsed.expert);
  if (number.ec != std::errc() || number.ptr == rest.data() + rest.size()) return std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(number.ptr - rest.data()) + 1);
  const std::size_t dot = rest.find('.');
  if (dot == rest.npos) return std::nullopt;
  parsed.matrix = rest.substr(0, dot);
  parsed.is_bias = rest.substr(dot) == ".bias";
  const bool known =
      parsed.matrix == "gate_proj" || parsed.matrix == "up_proj" || parsed.matrix == "down_proj";
  if (!known) return std::nullopt;
  return parsed;
}

// "…mlp.gate.weight" -> "…mlp.router.weight"
std::optional<std::string> router_source(std::string_view name) {
  constexpr std::string_view kGate = ".mlp.gate.";
  const std::size_t place = name.find(kGate);
  if (place == name.npos) return std::nullopt;
  return fmt::format("{}.mlp.router.{}", name.substr(0, place), name.substr(place + kGate.size()));
}

void check_expert(const TensorView& view, std::size_t dimensions, const ExpertName& wanted) {
  if (view.shape.size() == dimensions && wanted.expert < view.shape[0]) return;
  throw FormatError(
      fmt::format("tensor {} has the shape [{}], which has no expert {}. Fetch the "
                  "model's files again.",
                  view.name, fmt::join(view.shape, ", "), wanted.expert));
}

TensorView own(std::string_view name, DType dtype, std::vector<std::int64_t> shape,
               std::vector<std::byte> bytes) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return {std::string(name), dtype, std::move(shape), *owner, owner};
}

// [experts, in, out] -> the wanted rows of [out, in], element by element.
TensorView transposed_expert(std::string_view name, const TensorView& all,
                             const ExpertName& wanted) {
  check_expert(all, 3, wanted);
  const std::size_t size = block_bytes(all.dtype);
  const std::int64_t in = all.shape[1], out = all.shape[2], rows = out / wanted.row_step();
  std::vector<std::byte> bytes(static_cast<std::size_t>(rows * in) * size);
  const std::byte* source =
      all.bytes.data() + static_cast<std::size_t>(wanted.expert * in * out) * size;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t from = wanted.first_row() + row * wanted.row_step();
    for (std::int64_t column = 0; column < in; ++column) {
      std::memcpy(bytes.data() + static_cast<std::size_t>(row * in + column) * size,
                  source + static_cast<std::size_t>(column * out + from) * size, size);
    }
  }
  return own(name, all.dtype, {rows, in}, std::move(bytes));
}

TensorView expert_bias(std::string_view name, const TensorView& all, const ExpertName& wanted) {
  check_expert(all, 2, wanted);
  const std::size_t size = block_bytes(all.dtype);
  const std::int64_t out = all.shape[1], rows = out / wanted.row_step();
  std::vector<std::byte> bytes(static_cast<std::size_t>(rows) * size);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t from = wanted.expert * out + wanted.first_row() + row * wanted.row_step();
    std::memcpy(bytes.data() + static_cast<std::size_t>(row) * size,
                all.bytes.data() + static_cast<std::size_t>(from) * size, size);
  }
  return own(name, all.dtype, {rows}, std::move(bytes));
}

// One of [experts, ...] as it lies in the file.
TensorView part_of_stack(std::string_view name, const TensorView& stack, const ExpertName& wanted) {
  check_expert(stack, wanted.is_bias ? 2 : 3, wanted);
  const std::size_t size = stack.bytes.size() / static_cast<std::size_t>(stack.shape[0]);
  return {std::string(name),
          stack.dtype,
          {stack.shape.begin() + 1, stack.shape.end()},
          stack.bytes.subspan(static_cast<std::size_t>(wanted.expert) * size, size),
          stack.keep_alive,
          stack.file};
}

// The sixteen values of a 4-bit float with two exponent bits and one of mantissa.
constexpr std::array<float, 16> kFloat4 = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                                           -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};

// blocks [experts, out, in / 32, 16]: two values a byte, the low half first; scales
// [experts, out, in / 32]: powers of two, biased by 127. Rows are already [out, in].
TensorView expert_of_mxfp4(std::string_view name, const TensorView& blocks,
                           const TensorView& scales, const ExpertName& wanted) {
  check_expert(blocks, 4, wanted);
  check_expert(scales, 3, wanted);
  const std::int64_t out = blocks.shape[1], groups = blocks.shape[2];
  if (blocks.shape[3] != 16 || scales.shape[1] != out || scales.shape[2] != groups) {
    throw FormatError(
        fmt::format("tensor {} does not fit its scales. Fetch the model's files "
                    "again.",
                    blocks.name));
  }
  const std::int64_t rows = out / wanted.row_step();
  std::vector<std::byte> bytes(static_cast<std::size_t>(rows * groups * 32) * sizeof(float));
  auto* values = reinterpret_cast<float*>(bytes.data());
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t from =
        (wanted.expert * out + wanted.first_row() + row * wanted.row_step()) * groups;
    for (std::int64_t group = 0; group < groups; ++group) {
      const auto index = static_cast<std::size_t>(from + group);
      const float scale = std::ldexp(1.0F, std::to_integer<int>(scales.bytes[index]) - 127);
      for (std::size_t i = 0; i < 16; ++i) {
        const auto pair = std::to_integer<unsigned>(blocks.bytes[index * 16 + i]);
        *values++ = kFloat4[pair & 15] * scale;
        *values++ = kFloat4[pair >> 4] * scale;
      }
    }
  }
  return own(name, DType::kFloat32, {rows, groups * 32}, std::move(bytes));
}

}  // namespace

bool has_expert_tensor(std::string_view name, const FindTensorView& find) {
  if (const auto router = router_source(name)) return find(*router) != nullptr;
  const auto wanted = parse_name(name);
  if (!wanted) return false;
  if (find(wanted->stack())) return true;
  if (wanted->is_bias) return find(wanted->source() + "_bias") != nullptr;
  return find(wanted->source()) || find(wanted->source() + "_blocks");
}

std::optional<TensorView> find_expert_tensor(std::string_view name, const FindTensorView& find) {
  if (!has_expert_tensor(name, find)) return std::nullopt;
  if (const auto router = router_source(name)) return *find(*router);
  const ExpertName wanted = *parse_name(name);
  if (const TensorView* stack = find(wanted.stack())) return part_of_stack(name, *stack, wanted);
  if (wanted.is_bias) return expert_bias(name, *find(wanted.source() + "_bias"), wanted);
  if (const TensorView* all = find(wanted.source())) return transposed_expert(name, *all, wanted);
  const TensorView* scales = find(wanted.source() + "_scales");
  if (!scales) {
    throw FormatError(fmt::format("tensor {}_scales is missing. Fetch the model's files again.",
                                  wanted.source()));
  }
  return expert_of_mxfp4(name, *find(wanted.source() + "_blocks"), *scales, wanted);
}

void append_expert_names(std::string_view stack, std::int64_t num_experts,
                         std::vector<std::string>& names) {
  constexpr std::string_view kExperts = ".experts.";
  const std::size_t end = stack.find(kExperts) + kExperts.size();
  for (std::int64_t expert = 0; expert < num_experts; ++expert) {
    names.push_back(fmt::format("{}{}.{}", stack.substr(0, end), expert, stack.substr(end)));
  }
}

}  // namespace aurum::weights

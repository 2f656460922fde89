#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "weights/byte_sink.h"
#include "weights/dtype.h"

namespace aurum::weights {

using GgufValue = std::variant<std::uint32_t, float, bool, std::string, std::vector<std::string>,
                               std::vector<float>, std::vector<std::int32_t>>;

// Key-value pairs in the order in which they are written.
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

// A tensor to write. `write` is called once, when its turn comes, and hands the bytes in file order
// to its argument piece by piece; together they must be as many as shape and type say.
struct GgufTensorToWrite {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;  // row-major, as in torch
  ByteSource write;
};

// Writes a GGUF file (version 3, little-endian, alignment 32), whole or not at all. Holds one piece
// of a tensor at a time.
void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                const std::vector<GgufTensorToWrite>& tensors);

}  // namespace aurum::weights

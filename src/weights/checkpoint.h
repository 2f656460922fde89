#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "weights/byte_sink.h"
#include "weights/dtype.h"
#include "weights/model_config.h"

namespace aurum::weights {

// A tensor, row-major, last dimension fastest. `keep_alive` owns the bytes, which lie in `file`
// unless they were moved.
struct TensorView {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> keep_alive;
  std::shared_ptr<const MappedFile> file;

  // For a reader that has copied the tensor: gives the memory of its pages back.
  void drop_pages() const {
    if (file) file->drop_pages(bytes);
  }
  std::int64_t num_values() const;
};

// The weights of one model under Hugging Face names and conventions, whatever the file format: for
// GGUF the names are mapped, the Q/K row permutation of the llama converter is undone (whole rows
// of blocks are moved into owned memory), and norm weights that hold 1 + w are corrected.
// Thread-safe after opening.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  virtual const ModelConfig& config() const = 0;
  virtual const std::filesystem::path& path() const = 0;
  virtual std::vector<std::string> tensor_names() const = 0;
  virtual bool contains(std::string_view name) const = 0;
  // Throws FormatError when the tensor is missing or its shape differs from `shape` (when given).
  virtual TensorView tensor(std::string_view name,
                            std::optional<std::vector<std::int64_t>> shape = {}) const = 0;
};

// Opens a Hugging Face folder or a .gguf file; anything else is an error that says what it is.
std::shared_ptr<const Checkpoint> open_checkpoint(const std::filesystem::path& path);

// Expands `num_values` values starting at value `begin` (both multiples of the block) to float32 or
// bfloat16 (round to nearest even). Vectorised; callers split the work over threads by rows.
void dequantize_to_float32(const TensorView& tensor, std::int64_t begin, std::span<float> out);
void dequantize_to_bfloat16(const TensorView& tensor, std::int64_t begin,
                            std::span<std::uint16_t> out);

// The same for large stretches, on all threads.
void dequantize_in_parallel(const TensorView& tensor, std::int64_t begin, std::span<float> out);
void dequantize_in_parallel(const TensorView& tensor, std::int64_t begin,
                            std::span<std::uint16_t> out);

// One tensor to write to a safetensors file.
struct TensorToWrite {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes = {};
  ByteSource write = {};  // when set, gives the bytes instead
};

// Writes model.safetensors, or shards of at most `shard_bytes` with their index, each file whole
// or not at all, in the order Python's safetensors uses.
void write_safetensors(const std::filesystem::path& folder, std::vector<TensorToWrite> tensors,
                       std::uint64_t shard_bytes = 5'000'000'000);
void write_safetensors_file(const std::filesystem::path& file, std::vector<TensorToWrite> tensors);

// Any safetensors file, without a config: for `aurum loss` and optimizer state.
class SafetensorsFile {
 public:
  static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& path);
  virtual ~SafetensorsFile() = default;
  virtual const std::vector<TensorView>& tensors() const = 0;
  virtual const TensorView* find(std::string_view name) const = 0;
};

}  // namespace aurum::weights

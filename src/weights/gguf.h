#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "weights/dtype.h"

namespace aurum::weights {

// A tensor as a GGUF file describes it, under its GGUF name.
struct GgufTensor {
  std::string name;
  std::uint32_t type_id = 0;        // ggml's number
  std::string type_name;            // "Q4_K"; for types that cannot be expanded, their name as well
  std::optional<DType> dtype;       // absent: a type that cannot be expanded
  std::vector<std::int64_t> shape;  // row-major, last dimension fastest (as in torch)
  std::span<const std::byte> bytes;        // empty when the type is not supported
  std::shared_ptr<const MappedFile> file;  // that the bytes are in
};

// A mapped GGUF file (version 2 or 3, little-endian): metadata and tensors, all lengths checked
// against the file when it is opened. A split model (NAME-00001-of-00003.gguf) is one GgufFile:
// metadata of its first part, tensors of all, whichever part is named. Thread-safe after opening.
// Throws FormatError with the path and byte offset.
class GgufFile {
 public:
  static std::shared_ptr<const GgufFile> open(const std::string& path);

  const std::string& path() const { return file_->path(); }
  std::size_t size() const { return file_->size(); }  // of the first part, when split

  bool contains(std::string_view key) const;
  std::vector<std::string> keys() const;

  // Each is nullopt when the key is absent, and throws FormatError when the value has another type
  // (any integer type counts as an integer, integers count as numbers). Views and spans point into
  // the file and live as long as this object.
  std::optional<std::string_view> string(std::string_view key) const;
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::optional<std::uint64_t> unsigned_integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::vector<std::string_view>> strings(std::string_view key) const;
  std::optional<std::vector<float>> floats(std::string_view key) const;
  // Bool elements count as 0 and 1.
  std::optional<std::vector<std::int64_t>> integers(std::string_view key) const;
  bool is_array(std::string_view key) const;

  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const GgufTensor* find_tensor(std::string_view name) const;

 private:
  class Reader;

  // A metadata value: where its bytes are. `type` is GGUF's number of the value type; for arrays
  // `element_type` and `count` describe the elements.
  struct Value {
    std::uint32_t type = 0;
    std::uint32_t element_type = 0;
    std::uint64_t count = 0;
    std::size_t offset = 0;
  };

  explicit GgufFile(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}

  static std::shared_ptr<GgufFile> open_part(const std::string& path);
  static std::shared_ptr<GgufFile> open_parts(std::shared_ptr<GgufFile> named, std::uint64_t count);
  void check_part(std::uint64_t index, std::uint64_t count) const;
  void append(std::shared_ptr<GgufFile> part);
  void check_num_tensors() const;
  void check_overlaps(std::size_t data_begin, const std::vector<std::uint64_t>& offsets) const;

  void read_metadata(Reader& reader, std::uint64_t count);
  void read_tensors(Reader& reader, std::uint64_t count);
  void place_tensors(std::size_t data_begin, std::uint64_t alignment,
                     const std::vector<std::uint64_t>& offsets);
  const Value* find(std::string_view key) const;
  const Value* find_array(std::string_view key) const;
  std::int64_t integer_at(std::string_view key, std::uint32_t type, std::size_t offset) const;
  double number_at(std::string_view key, std::uint32_t type, std::size_t offset) const;
  [[noreturn]] void fail_type(std::string_view key, std::string_view expected,
                              const Value& value) const;

  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, Value, std::less<>> values_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> tensor_index_;
  std::vector<std::shared_ptr<GgufFile>> other_parts_;  // own what `tensors_` point into
};

// ggml's number of a type that GGUF files hold; throws InternalError for others.
std::uint32_t ggml_type_id(DType dtype);

}  // namespace aurum::weights

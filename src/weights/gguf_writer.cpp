#include "weights/gguf_writer.h"

#include <ostream>
#include <string_view>

#include "base/error.h"
#include "base/files.h"
#include "weights/gguf.h"
#include "weights/tensor_size.h"

namespace aurum::weights {
namespace {

constexpr std::uint64_t kAlignment = 32;

// The numbers of the value types that are written.
enum ValueType : std::uint32_t { kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kString = 8, kArray = 9 };

std::uint64_t aligned(std::uint64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

// Appends to a header in memory.
class Header {
 public:
  template <typename T>
  void put(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_string(std::string_view text) {
    put<std::uint64_t>(text.size());
    text_ += text;
  }
  void put_value(std::uint32_t value) { put_typed(kU32, value); }
  void put_value(float value) { put_typed(kF32, value); }
  void put_value(bool value) { put_typed(kBool, static_cast<std::uint8_t>(value ? 1 : 0)); }
  void put_value(const std::string& value) {
    put<std::uint32_t>(kString);
    put_string(value);
  }
  void put_value(const std::vector<std::string>& values) {
    begin_array(kString, values.size());
    for (const std::string& value : values) put_string(value);
  }
  void put_value(const std::vector<float>& values) { put_array(kF32, values); }
  void put_value(const std::vector<std::int32_t>& values) { put_array(kI32, values); }

  const std::string& pad() {
    text_.resize(aligned(text_.size()), '\0');
    return text_;
  }

 private:
  template <typename T>
  void put_typed(std::uint32_t type, T value) {
    put(type);
    put(value);
  }
  void begin_array(std::uint32_t element_type, std::uint64_t count) {
    put<std::uint32_t>(kArray);
    put(element_type);
    put(count);
  }
  template <typename T>
  void put_array(std::uint32_t element_type, const std::vector<T>& values) {
    begin_array(element_type, values.size());
    for (const T value : values) put(value);
  }

  std::string text_;
};

std::uint64_t size_of(const GgufTensorToWrite& tensor) {
  const auto bytes = tensor_bytes(tensor.dtype, tensor.shape);
  AURUM_CHECK(bytes.has_value(), "tensor {} is not whole blocks", tensor.name);
  return *bytes;
}

std::string make_header(const GgufMetadata& metadata,
                        const std::vector<GgufTensorToWrite>& tensors) {
  Header header;
  header.put<std::uint32_t>(0x46554747);  // "GGUF"
  header.put<std::uint32_t>(3);
  header.put<std::uint64_t>(tensors.size());
  header.put<std::uint64_t>(metadata.size());
  for (const auto& [key, value] : metadata) {
    header.put_string(key);
    std::visit([&](const auto& typed) { header.put_value(typed); }, value);
  }
  std::uint64_t offset = 0;
  for (const GgufTensorToWrite& tensor : tensors) {
    header.put_string(tensor.name);
    header.put(static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) {
      header.put(static_cast<std::uint64_t>(*size));
    }
    header.put(ggml_type_id(tensor.dtype));
    header.put(offset);
    offset += aligned(size_of(tensor));
  }
  return header.pad();
}

void write_tensor(std::ostream& out, const GgufTensorToWrite& tensor) {
  std::uint64_t written = 0;
  tensor.write([&](std::span<const std::byte> bytes) {
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    written += bytes.size();
  });
  AURUM_CHECK(written == size_of(tensor), "tensor {}: {} bytes", tensor.name, written);
  const std::string padding(aligned(written) - written, '\0');
  out.write(padding.data(), static_cast<std::streamsize>(padding.size()));
}

}  // namespace

void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                const std::vector<GgufTensorToWrite>& tensors) {
  const std::string header = make_header(metadata, tensors);
  write_file(path, [&](std::ostream& out) {
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    for (const GgufTensorToWrite& tensor : tensors) {
      write_tensor(out, tensor);
      if (!out) throw IoError(path.string() + ": cannot write. Is the disk full?");
    }
  });
}

}  // namespace aurum::weights

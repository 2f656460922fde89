#include "weights/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>

#include <fmt/format.h>

#include "base/error.h"
#include "weights/gguf_values.h"
#include "weights/tensor_size.h"

namespace aurum::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF values are read in place");

constexpr std::uint64_t kMaxLength = std::uint64_t{1} << 30;
constexpr std::uint64_t kMaxKeyLength = 65535;
constexpr std::uint64_t kMaxTensorName = 64;
constexpr std::uint32_t kMaxDims = 4;
constexpr int kMaxArrayDepth = 4;
constexpr std::uint64_t kMaxAlignment = 1 << 20;
// The shortest possible entries: they bound a count by the size of the file.
constexpr std::uint64_t kMinKeyValueBytes = 8 + 4 + 1;
constexpr std::uint64_t kMinTensorInfoBytes = 8 + 4 + 8 + 4 + 8;

struct GgmlType {
  std::uint32_t id;
  std::string_view name;
  std::optional<DType> dtype;
};

constexpr std::array kGgmlTypes = {
    GgmlType{0, "F32", DType::kFloat32},
    GgmlType{1, "F16", DType::kFloat16},
    GgmlType{2, "Q4_0", DType::kQ4_0},
    GgmlType{3, "Q4_1", DType::kQ4_1},
    GgmlType{6, "Q5_0", DType::kQ5_0},
    GgmlType{7, "Q5_1", DType::kQ5_1},
    GgmlType{8, "Q8_0", DType::kQ8_0},
    GgmlType{9, "Q8_1", {}},
    GgmlType{10, "Q2_K", DType::kQ2_K},
    GgmlType{11, "Q3_K", DType::kQ3_K},
    GgmlType{12, "Q4_K", DType::kQ4_K},
    GgmlType{13, "Q5_K", DType::kQ5_K},
    GgmlType{14, "Q6_K", DType::kQ6_K},
    GgmlType{15, "Q8_K", {}},
    GgmlType{16, "IQ2_XXS", {}},
    GgmlType{17, "IQ2_XS", {}},
    GgmlType{18, "IQ3_XXS", {}},
    GgmlType{19, "IQ1_S", {}},
    GgmlType{20, "IQ4_NL", {}},
    GgmlType{21, "IQ3_S", {}},
    GgmlType{22, "IQ2_S", {}},
    GgmlType{23, "IQ4_XS", {}},
    GgmlType{24, "I8", DType::kInt8},
    GgmlType{25, "I16", DType::kInt16},
    GgmlType{26, "I32", DType::kInt32},
    GgmlType{27, "I64", DType::kInt64},
    GgmlType{28, "F64", DType::kFloat64},
    GgmlType{29, "IQ1_M", {}},
    GgmlType{30, "BF16", DType::kBFloat16},
    GgmlType{34, "TQ1_0", {}},
    GgmlType{35, "TQ2_0", {}},
    GgmlType{39, "MXFP4", DType::kMXFP4},
    GgmlType{40, "NVFP4", {}},
    GgmlType{41, "Q1_0", {}},
    GgmlType{42, "Q2_0", {}},
};

GgmlType ggml_type(std::uint32_t id) {
  for (const GgmlType& type : kGgmlTypes) {
    if (type.id == id) return type;
  }
  return {id, {}, {}};
}

}  // namespace

std::uint32_t ggml_type_id(DType dtype) {
  for (const GgmlType& type : kGgmlTypes) {
    if (type.dtype == dtype) return type.id;
  }
  AURUM_CHECK(false, "{} has no place in GGUF", dtype_name(dtype));
  return 0;
}

// A cursor over the mapped file that never passes its end.
class GgufFile::Reader {
 public:
  explicit Reader(const MappedFile& file) : path_(file.path()), bytes_(file.bytes()) {}

  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return bytes_.size() - offset_; }

  template <typename T>
  T read(std::string_view what) {
    require(sizeof(T), what);
    const T value = load<T>(bytes_.data() + offset_);
    offset_ += sizeof(T);
    return value;
  }

  std::string_view read_string(std::string_view what, std::uint64_t limit) {
    const auto length = read<std::uint64_t>(what);
    if (length > limit) {
      fail(fmt::format("the length of {} is {}, more than the limit of {}", what, length, limit));
    }
    require(length, what);
    const auto* text = reinterpret_cast<const char*>(bytes_.data() + offset_);
    offset_ += length;
    return {text, static_cast<std::size_t>(length)};
  }

  void skip(std::uint64_t num_bytes, std::string_view what) {
    require(num_bytes, what);
    offset_ += num_bytes;
  }

  Value read_value(std::uint32_t type, std::string_view key, int depth = 0) {
    if (type >= kNumTypes) fail(fmt::format("key {} has the unknown value type {}", key, type));
    Value value{type, 0, 0, offset_};
    if (type == kString) {
      read_string(key, kMaxLength);
    } else if (type == kArray) {
      read_array(value, key, depth);
    } else {
      skip(kGgufTypeBytes[type], key);
    }
    return value;
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw FormatError(
        fmt::format("{}: at byte {}: {}. The file is damaged or not GGUF; fetch it "
                    "again.",
                    path_, offset_, problem));
  }

 private:
  void read_array(Value& value, std::string_view key, int depth) {
    if (depth >= kMaxArrayDepth) fail(fmt::format("key {} nests arrays too deeply", key));
    value.element_type = read<std::uint32_t>(key);
    value.count = read<std::uint64_t>(key);
    if (value.element_type >= kNumTypes) {
      fail(fmt::format("array {} has the unknown element type {}", key, value.element_type));
    }
    if (value.count > kMaxLength) {
      fail(fmt::format("array {} has {} elements, more than the limit of {}", key, value.count,
                       kMaxLength));
    }
    value.offset = offset_;
    if (kGgufTypeBytes[value.element_type] != 0) {
      skip(value.count * kGgufTypeBytes[value.element_type], key);
      return;
    }
    for (std::uint64_t i = 0; i < value.count; ++i) read_value(value.element_type, key, depth + 1);
  }

  void require(std::uint64_t num_bytes, std::string_view what) const {
    if (num_bytes > remaining()) {
      throw FormatError(fmt::format(
          "{}: truncated: {} at byte {} needs {} bytes, the file of {} bytes has {} left. Fetch "
          "the file again.",
          path_, what, offset_, num_bytes, bytes_.size(), remaining()));
    }
  }

  const std::string& path_;
  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
};

std::shared_ptr<GgufFile> GgufFile::open_part(const std::string& path) {
  std::shared_ptr<GgufFile> gguf(new GgufFile(MappedFile::open(path)));
  Reader reader(*gguf->file_);
  if (reader.read<std::uint32_t>("the magic word") != 0x46554747) {
    throw FormatError(fmt::format("{}: not a GGUF file: it does not start with \"GGUF\".", path));
  }
  const auto version = reader.read<std::uint32_t>("the version");
  if (version != 2 && version != 3) {
    const bool swapped = (version & 0xFFFF) == 0;
    throw FormatError(
        fmt::format("{}: GGUF version {}{}. Supported: 2 and 3, little-endian; "
                    "convert the file again.",
                    path, version, swapped ? " (a big-endian file)" : ""));
  }
  const auto num_tensors = reader.read<std::uint64_t>("the number of tensors");
  const auto num_values = reader.read<std::uint64_t>("the number of keys");
  if (num_values > reader.remaining() / kMinKeyValueBytes ||
      num_tensors > reader.remaining() / kMinTensorInfoBytes) {
    reader.fail(fmt::format("{} keys and {} tensors do not fit into a file of {} bytes", num_values,
                            num_tensors, gguf->size()));
  }
  gguf->read_metadata(reader, num_values);
  gguf->read_tensors(reader, num_tensors);
  return gguf;
}

void GgufFile::read_metadata(Reader& reader, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string key(reader.read_string("a key", kMaxKeyLength));
    const auto type = reader.read<std::uint32_t>(key);
    const Value value = reader.read_value(type, key);
    if (!values_.emplace(key, value).second) reader.fail(fmt::format("key {} is repeated", key));
  }
}

void GgufFile::read_tensors(Reader& reader, std::uint64_t count) {
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t i = 0; i < count; ++i) {
    GgufTensor tensor;
    tensor.name = reader.read_string("a tensor name", kMaxTensorName);
    const auto num_dims = reader.read<std::uint32_t>(tensor.name);
    if (num_dims > kMaxDims) {
      reader.fail(fmt::format("tensor {} has {} dimensions; the limit is {}", tensor.name, num_dims,
                              kMaxDims));
    }
    for (std::uint32_t d = 0; d < num_dims; ++d) {
      const auto size = reader.read<std::uint64_t>(tensor.name);
      if (size > static_cast<std::uint64_t>(INT64_MAX)) {
        reader.fail(fmt::format("a dimension of tensor {} is {}", tensor.name, size));
      }
      tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(size));
    }
    tensor.type_id = reader.read<std::uint32_t>(tensor.name);
    const GgmlType type = ggml_type(tensor.type_id);
    tensor.type_name =
        type.name.empty() ? fmt::format("type {}", tensor.type_id) : std::string(type.name);
    tensor.dtype = type.dtype;
    offsets.push_back(reader.read<std::uint64_t>(tensor.name));
    if (!tensor_index_.emplace(tensor.name, tensors_.size()).second) {
      reader.fail(fmt::format("tensor {} is repeated", tensor.name));
    }
    tensors_.push_back(std::move(tensor));
  }
  const std::uint64_t alignment = unsigned_integer("general.alignment").value_or(32);
  if (alignment > kMaxAlignment || !std::has_single_bit(alignment)) {
    reader.fail(fmt::format("general.alignment is {}, not a power of two up to {}", alignment,
                            kMaxAlignment));
  }
  place_tensors((reader.offset() + alignment - 1) / alignment * alignment, alignment, offsets);
}

void GgufFile::place_tensors(std::size_t data_begin, std::uint64_t alignment,
                             const std::vector<std::uint64_t>& offsets) {
  std::uint64_t expected = data_begin;
  std::string past_end;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    GgufTensor& tensor = tensors_[i];
    if (offsets[i] % alignment != 0) {
      throw FormatError(
          fmt::format("{}: tensor {} begins at {}, not a multiple of the alignment "
                      "{}. The file is damaged; fetch it again.",
                      path(), tensor.name, offsets[i], alignment));
    }
    if (!tensor.dtype) continue;
    const auto num_bytes = tensor_bytes(*tensor.dtype, tensor.shape);
    const std::uint64_t room = static_cast<std::uint64_t>(INT64_MAX) - data_begin;
    if (!num_bytes || offsets[i] > room || *num_bytes > room - offsets[i]) {
      throw FormatError(fmt::format(
          "{}: the shape [{}] of tensor {} ({}) is not whole blocks of a possible size. The file "
          "is damaged; fetch it again.",
          path(), fmt::join(tensor.shape, ", "), tensor.name, tensor.type_name));
    }
    tensor.file = file_;
    const std::uint64_t end = data_begin + offsets[i] + *num_bytes;
    if (end > expected) {
      expected = end;
      if (end > size()) past_end = tensor.name;
    }
    if (end <= size()) tensor.bytes = file_->bytes().subspan(data_begin + offsets[i], *num_bytes);
  }
  check_overlaps(data_begin, offsets);
  if (!past_end.empty()) {
    throw FormatError(
        fmt::format("{}: truncated: the file has {} bytes, {} are expected (tensor "
                    "{} ends there). Fetch the file again.",
                    path(), size(), expected, past_end));
  }
}

// Two tensors that share bytes: nobody writes that, and a change of one would change the other.
void GgufFile::check_overlaps(std::size_t data_begin,
                              const std::vector<std::uint64_t>& offsets) const {
  std::vector<std::size_t> order(tensors_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return offsets[i]; });
  std::uint64_t end = 0;
  std::size_t previous = 0;
  for (const std::size_t i : order) {
    const GgufTensor& tensor = tensors_[i];
    const auto num_bytes = tensor.dtype ? tensor_bytes(*tensor.dtype, tensor.shape) : 0;
    if (offsets[i] < end && num_bytes > 0) {
      throw FormatError(
          fmt::format("{}: tensor {} at byte {} overlaps tensor {}. The file is damaged; fetch it "
                      "again.",
                      path(), tensor.name, data_begin + offsets[i], tensors_[previous].name));
    }
    if (offsets[i] + *num_bytes > end) {
      end = offsets[i] + *num_bytes;
      previous = i;
    }
  }
}

}  // namespace aurum::weights

// Reads and writes safetensors files: eight bytes of header length, a JSON header, the tensors.

#include <algorithm>
#include <cstring>
#include <map>
#include <ostream>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/mapped_file.h"
#include "weights/checkpoint.h"
#include "weights/tensor_size.h"

namespace aurum::weights {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeader = 100'000'000;

std::optional<DType> dtype_of_name(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(DType::kBool); ++i) {
    if (dtype_name(static_cast<DType>(i)) == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw FormatError(
      fmt::format("{}: {}. The file is damaged or not safetensors; fetch or write "
                  "it again.",
                  path, problem));
}

// Parses the header and refuses keys that are repeated at its top level.
Json parse_header(const std::string& path, std::string_view text) {
  std::set<std::string> names;
  const auto check_key = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1 &&
        !names.insert(parsed.get<std::string>()).second) {
      fail(path, fmt::format("tensor {} is repeated in the header", parsed.get<std::string>()));
    }
    return true;
  };
  if (text.empty() || text.front() != '{') fail(path, "at byte 8: the header is not a JSON object");
  try {
    return Json::parse(text, check_key);
  } catch (const Json::exception& error) {
    fail(path, fmt::format("the header is not valid JSON ({})", error.what()));
  }
}

struct Entry {
  TensorView view;
  std::uint64_t begin = 0, end = 0;
};

std::uint64_t unsigned_value(const std::string& path, const std::string& name, const Json& value) {
  if (!value.is_number_unsigned()) {
    fail(path, fmt::format("tensor {}: sizes and offsets must be whole numbers", name));
  }
  const auto number = value.get<std::uint64_t>();
  if (number > static_cast<std::uint64_t>(INT64_MAX)) {
    fail(path, fmt::format("tensor {}: {} is too large", name, number));
  }
  return number;
}

Entry parse_entry(const std::string& path, const std::string& name, const Json& json) {
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string() ||
      !json.contains("shape") || !json["shape"].is_array() || !json.contains("data_offsets") ||
      !json["data_offsets"].is_array() || json["data_offsets"].size() != 2) {
    fail(path, fmt::format("tensor {} needs dtype, shape and two data_offsets", name));
  }
  const auto dtype = dtype_of_name(json["dtype"].get_ref<const std::string&>());
  if (!dtype) {
    throw FormatError(
        fmt::format("{}: tensor {} is of type {}, which is not supported. Convert "
                    "the model to BF16, F16 or F32.",
                    path, name, json["dtype"].get_ref<const std::string&>()));
  }
  Entry entry;
  entry.view.name = name;
  entry.view.dtype = *dtype;
  for (const Json& size : json["shape"]) {
    entry.view.shape.push_back(static_cast<std::int64_t>(unsigned_value(path, name, size)));
  }
  entry.begin = unsigned_value(path, name, json["data_offsets"][0]);
  entry.end = unsigned_value(path, name, json["data_offsets"][1]);
  const auto num_bytes = tensor_bytes(*dtype, entry.view.shape);
  if (!num_bytes || entry.end < entry.begin || entry.end - entry.begin != *num_bytes) {
    fail(path, fmt::format("tensor {}: {} [{}] does not fit its data_offsets [{}, {}]", name,
                           dtype_name(*dtype), fmt::join(entry.view.shape, ", "), entry.begin,
                           entry.end));
  }
  return entry;
}

// The tensors must cover the data section without gap or overlap.
void check_tiling(const std::string& path, const std::vector<Entry>& entries,
                  std::uint64_t data_begin, std::uint64_t file_size) {
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != expected) {
      fail(path, fmt::format("tensor {} begins at {}, expected {}", entry.view.name, entry.begin,
                             expected));
    }
    expected = entry.end;
  }
  if (expected > file_size - data_begin) {
    throw FormatError(
        fmt::format("{}: truncated: the file has {} bytes, {} are expected. Fetch or "
                    "write it again.",
                    path, file_size, data_begin + expected));
  }
  if (expected < file_size - data_begin) {
    fail(path, fmt::format("{} bytes follow the last tensor", file_size - data_begin - expected));
  }
}

class MappedSafetensors final : public SafetensorsFile {
 public:
  explicit MappedSafetensors(const std::string& path) : file_(MappedFile::open(path)) {
    const auto bytes = file_->bytes();
    std::uint64_t length = 0;
    if (bytes.size() < kLengthBytes) {
      throw FormatError(
          fmt::format("{}: truncated: the file has {} bytes, at least {} are "
                      "expected. Fetch or write it again.",
                      path, bytes.size(), kLengthBytes + 2));
    }
    std::memcpy(&length, bytes.data(), kLengthBytes);
    if (length > kMaxHeader) {
      fail(path, fmt::format("at byte 0: the header length is {}, more than the limit of {}",
                             length, kMaxHeader));
    }
    if (length > bytes.size() - kLengthBytes) {
      throw FormatError(
          fmt::format("{}: truncated: the file has {} bytes, its header alone needs "
                      "{}. Fetch or write it again.",
                      path, bytes.size(), kLengthBytes + length));
    }
    const auto* text = reinterpret_cast<const char*>(bytes.data() + kLengthBytes);
    read_entries(path, parse_header(path, {text, length}), kLengthBytes + length);
  }

  const std::vector<TensorView>& tensors() const override { return tensors_; }

  const TensorView* find(std::string_view name) const override {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second];
  }

 private:
  void read_entries(const std::string& path, const Json& header, std::uint64_t data_begin) {
    std::vector<Entry> entries;
    for (const auto& [name, json] : header.items()) {
      if (name != "__metadata__") entries.push_back(parse_entry(path, name, json));
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    check_tiling(path, entries, data_begin, file_->size());
    for (Entry& entry : entries) {
      entry.view.bytes = file_->bytes().subspan(data_begin + entry.begin, entry.end - entry.begin);
      entry.view.keep_alive = entry.view.file = file_;
      index_.emplace(entry.view.name, tensors_.size());
      tensors_.push_back(std::move(entry.view));
    }
  }

  std::shared_ptr<const MappedFile> file_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

// The place of a type in the order in which Python's writer sorts tensors.
int write_rank(DType dtype) {
  switch (dtype) {
    case DType::kInt64:
      return 0;
    case DType::kFloat64:
      return 1;
    case DType::kFloat32:
      return 2;
    case DType::kInt32:
      return 3;
    case DType::kBFloat16:
      return 4;
    case DType::kFloat16:
      return 5;
    case DType::kInt16:
      return 6;
    case DType::kFloat8E4M3:
      return 7;
    case DType::kFloat8E5M2:
      return 8;
    case DType::kInt8:
      return 9;
    case DType::kUInt8:
      return 10;
    case DType::kBool:
      return 11;
    default:
      break;
  }
  throw InputError(
      fmt::format("safetensors cannot hold {} blocks; expand them first.", dtype_name(dtype)));
}

void sort_for_writing(std::vector<TensorToWrite>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
    const int rank_a = write_rank(a.dtype), rank_b = write_rank(b.dtype);
    return rank_a != rank_b ? rank_a < rank_b : a.name < b.name;
  });
}

std::uint64_t size_of(const TensorToWrite& tensor) {
  const auto bytes = tensor_bytes(tensor.dtype, tensor.shape);
  AURUM_CHECK(bytes && (tensor.write || *bytes == tensor.bytes.size()), "tensor {}", tensor.name);
  return *bytes;
}

std::string make_header(const std::vector<TensorToWrite>& tensors) {
  OrderedJson header;
  header["__metadata__"]["format"] = "pt";
  std::uint64_t offset = 0;
  std::set<std::string_view> names;
  for (const TensorToWrite& tensor : tensors) {
    AURUM_CHECK(names.insert(tensor.name).second, "tensor {} twice", tensor.name);
    OrderedJson entry;
    entry["dtype"] = dtype_name(tensor.dtype);
    entry["shape"] = tensor.shape;
    entry["data_offsets"] = {offset, offset + size_of(tensor)};
    header.push_back({tensor.name, std::move(entry)});
    offset += size_of(tensor);
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

std::uint64_t total_bytes(const std::vector<TensorToWrite>& tensors) {
  std::uint64_t total = 0;
  for (const TensorToWrite& tensor : tensors) total += size_of(tensor);
  return total;
}

// Fills shards in the given order, none above `shard_bytes` unless a single tensor is.
std::vector<std::vector<TensorToWrite>> split_into_shards(std::vector<TensorToWrite> tensors,
                                                          std::uint64_t shard_bytes) {
  std::vector<std::vector<TensorToWrite>> shards(1);
  std::uint64_t used = 0;
  for (TensorToWrite& tensor : tensors) {
    if (!shards.back().empty() && used + size_of(tensor) > shard_bytes) {
      shards.emplace_back();
      used = 0;
    }
    used += size_of(tensor);
    shards.back().push_back(std::move(tensor));
  }
  return shards;
}

void remove_stale(const std::filesystem::path& file) {
  std::error_code
      ignored;  // absent is the usual case, and a leftover is not an error of this write
  std::filesystem::remove(file, ignored);
}

}  // namespace

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  return std::make_shared<MappedSafetensors>(path.string());
}

namespace {

void write_tensor(std::ostream& out, const TensorToWrite& tensor) {
  std::uint64_t written = 0;
  const ByteSink sink = [&](std::span<const std::byte> bytes) {
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    written += bytes.size();
  };
  if (tensor.write) {
    tensor.write(sink);
  } else {
    sink(tensor.bytes);
  }
  AURUM_CHECK(written == size_of(tensor), "tensor {}: {} bytes", tensor.name, written);
}

}  // namespace

void write_safetensors_file(const std::filesystem::path& file, std::vector<TensorToWrite> tensors) {
  sort_for_writing(tensors);
  const std::string header = make_header(tensors);
  write_file(file, [&](std::ostream& out) {
    const std::uint64_t length = header.size();
    out.write(reinterpret_cast<const char*>(&length), sizeof length);
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    for (const TensorToWrite& tensor : tensors) write_tensor(out, tensor);
  });
}

void write_safetensors(const std::filesystem::path& folder, std::vector<TensorToWrite> tensors,
                       std::uint64_t shard_bytes) {
  make_folder(folder);
  const auto index_path = folder / "model.safetensors.index.json";
  const std::uint64_t total = total_bytes(tensors);
  auto shards = split_into_shards(std::move(tensors), shard_bytes);
  if (shards.size() == 1) {
    write_safetensors_file(folder / "model.safetensors", std::move(shards.front()));
    remove_stale(index_path);
    return;
  }
  OrderedJson index;
  index["metadata"]["total_size"] = total;
  std::map<std::string, std::string> weight_map;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    for (const TensorToWrite& tensor : shards[i]) weight_map[tensor.name] = name;
    write_safetensors_file(folder / name, std::move(shards[i]));
  }
  index["weight_map"] = weight_map;
  write_file(index_path, index.dump(2) + "\n");
  remove_stale(folder / "model.safetensors");
}

}  // namespace aurum::weights

// The typed look-ups of GgufFile.

#include "weights/gguf_values.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "weights/gguf.h"

namespace aurum::weights {
namespace {

std::string_view type_name(std::uint32_t type) {
  return type < kNumTypes ? kGgufTypeNames[type] : std::string_view("unknown");
}

bool is_integer(std::uint32_t type) { return type <= kI32 || type == kU64 || type == kI64; }

}  // namespace

bool GgufFile::contains(std::string_view key) const { return find(key) != nullptr; }

std::vector<std::string> GgufFile::keys() const {
  std::vector<std::string> keys;
  for (const auto& entry : values_) keys.push_back(entry.first);
  return keys;
}

const GgufFile::Value* GgufFile::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void GgufFile::fail_type(std::string_view key, std::string_view expected,
                         const Value& value) const {
  const std::string element =
      value.type == kArray ? fmt::format(" of {}", type_name(value.element_type)) : "";
  throw FormatError(
      fmt::format("{}: key {} at byte {} is of type {}{}, expected {}. Convert the "
                  "model again.",
                  path(), key, value.offset, type_name(value.type), element, expected));
}

const GgufFile::Value* GgufFile::find_array(std::string_view key) const {
  const Value* value = find(key);
  if (value != nullptr && value->type != kArray) fail_type(key, "array", *value);
  return value;
}

std::int64_t GgufFile::integer_at(std::string_view key, std::uint32_t type,
                                  std::size_t offset) const {
  const std::byte* bytes = file_->bytes().data() + offset;
  switch (type) {
    case kU8:
    case kBool:
      return load<std::uint8_t>(bytes);
    case kI8:
      return load<std::int8_t>(bytes);
    case kU16:
      return load<std::uint16_t>(bytes);
    case kI16:
      return load<std::int16_t>(bytes);
    case kU32:
      return load<std::uint32_t>(bytes);
    case kI32:
      return load<std::int32_t>(bytes);
    case kI64:
      return load<std::int64_t>(bytes);
    default:
      break;
  }
  const auto value = load<std::uint64_t>(bytes);
  if (value > static_cast<std::uint64_t>(INT64_MAX)) {
    throw FormatError(
        fmt::format("{}: key {} at byte {} is {}, too large.", path(), key, offset, value));
  }
  return static_cast<std::int64_t>(value);
}

double GgufFile::number_at(std::string_view key, std::uint32_t type, std::size_t offset) const {
  const std::byte* bytes = file_->bytes().data() + offset;
  if (type == kF32) return load<float>(bytes);
  if (type == kF64) return load<double>(bytes);
  return static_cast<double>(integer_at(key, type, offset));
}

std::optional<std::string_view> GgufFile::string(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != kString) fail_type(key, "string", *value);
  const std::byte* bytes = file_->bytes().data() + value->offset;
  return std::string_view(reinterpret_cast<const char*>(bytes + 8), load<std::uint64_t>(bytes));
}

std::optional<std::int64_t> GgufFile::integer(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!is_integer(value->type)) fail_type(key, "an integer", *value);
  return integer_at(key, value->type, value->offset);
}

std::optional<std::uint64_t> GgufFile::unsigned_integer(std::string_view key) const {
  const auto value = integer(key);
  if (!value) return std::nullopt;
  if (*value < 0) {
    throw FormatError(fmt::format("{}: key {} is negative ({}).", path(), key, *value));
  }
  return static_cast<std::uint64_t>(*value);
}

std::optional<double> GgufFile::number(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!is_integer(value->type) && value->type != kF32 && value->type != kF64) {
    fail_type(key, "a number", *value);
  }
  return number_at(key, value->type, value->offset);
}

std::optional<bool> GgufFile::boolean(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != kBool) fail_type(key, "bool", *value);
  return integer_at(key, kBool, value->offset) != 0;
}

std::optional<std::vector<std::string_view>> GgufFile::strings(std::string_view key) const {
  const Value* value = find_array(key);
  if (value == nullptr) return std::nullopt;
  if (value->element_type != kString) fail_type(key, "array of string", *value);
  std::vector<std::string_view> strings;
  strings.reserve(value->count);
  const std::byte* bytes = file_->bytes().data() + value->offset;
  for (std::uint64_t i = 0; i < value->count; ++i) {
    const auto length = load<std::uint64_t>(bytes);
    strings.emplace_back(reinterpret_cast<const char*>(bytes + 8), length);
    bytes += 8 + length;
  }
  return strings;
}

std::optional<std::vector<float>> GgufFile::floats(std::string_view key) const {
  const Value* value = find_array(key);
  if (value == nullptr) return std::nullopt;
  const std::uint32_t type = value->element_type;
  if (!is_integer(type) && type != kF32 && type != kF64) {
    fail_type(key, "array of numbers", *value);
  }
  std::vector<float> floats(value->count);
  for (std::uint64_t i = 0; i < value->count; ++i) {
    floats[i] = static_cast<float>(number_at(key, type, value->offset + i * kGgufTypeBytes[type]));
  }
  return floats;
}

std::optional<std::vector<std::int64_t>> GgufFile::integers(std::string_view key) const {
  const Value* value = find_array(key);
  if (value == nullptr) return std::nullopt;
  const std::uint32_t type = value->element_type;
  if (!is_integer(type) && type != kBool) fail_type(key, "array of integers", *value);
  std::vector<std::int64_t> integers(value->count);
  for (std::uint64_t i = 0; i < value->count; ++i) {
    integers[i] = integer_at(key, type, value->offset + i * kGgufTypeBytes[type]);
  }
  return integers;
}

bool GgufFile::is_array(std::string_view key) const {
  const Value* value = find(key);
  return value != nullptr && value->type == kArray;
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace aurum::weights

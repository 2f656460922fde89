#include "data/parquet/thrift_reader.h"

#include <limits>

#include <fmt/format.h>

#include "base/error.h"

namespace aurum::data {

namespace {

constexpr int kMaxDepth = 32;

}  // namespace

void ThriftReader::fail(const std::string& what) const {
  throw FormatError(fmt::format("{}: byte {} of the metadata: {}", source_, at_, what));
}

std::uint8_t ThriftReader::read_byte() {
  if (at_ >= bytes_.size()) fail("it ends too early");
  return static_cast<std::uint8_t>(bytes_[at_++]);
}

std::uint64_t ThriftReader::read_varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = read_byte();
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  fail("a number is too long");
}

std::int64_t ThriftReader::read_integer() {
  const std::uint64_t zigzag = read_varint();
  return static_cast<std::int64_t>(zigzag >> 1) ^ -static_cast<std::int64_t>(zigzag & 1);
}

std::int32_t ThriftReader::read_i32() {
  const std::int64_t value = read_integer();
  if (value < std::numeric_limits<std::int32_t>::min() ||
      value > std::numeric_limits<std::int32_t>::max()) {
    fail("a number is out of range");
  }
  return static_cast<std::int32_t>(value);
}

void ThriftReader::skip_bytes(std::uint64_t count) {
  if (count > bytes_.size() - at_) fail("a length reaches beyond the end");
  at_ += static_cast<std::size_t>(count);
}

std::string ThriftReader::read_text() {
  const std::uint64_t size = read_varint();
  const std::size_t begin = at_;
  skip_bytes(size);
  return {reinterpret_cast<const char*>(bytes_.data()) + begin, static_cast<std::size_t>(size)};
}

void ThriftReader::read_struct(const std::function<bool(int id, Type type)>& on_field) {
  if (++depth_ > kMaxDepth) fail("it is nested too deeply");
  int id = 0;
  for (;;) {
    const std::uint8_t header = read_byte();
    const Type type = static_cast<Type>(header & 0x0FU);
    if (type == Type::kStop) break;
    const int delta = header >> 4;
    id = delta != 0 ? id + delta : static_cast<int>(read_i32());
    if (!on_field(id, type)) skip(type, depth_);
  }
  --depth_;
}

void ThriftReader::read_list(const std::function<void(Type type)>& on_item) {
  const std::uint8_t header = read_byte();
  std::uint64_t count = header >> 4;
  if (count == 15) count = read_varint();
  // Every item takes a byte at least.
  if (count > bytes_.size() - at_) fail("a list is longer than the metadata");
  for (std::uint64_t i = 0; i < count; ++i) on_item(static_cast<Type>(header & 0x0FU));
}

void ThriftReader::skip_items(bool is_map, int depth) {
  if (is_map) {
    const std::uint64_t count = read_varint();
    if (count == 0) return;
    if (count > bytes_.size() - at_) fail("a map is longer than the metadata");
    const std::uint8_t types = read_byte();
    for (std::uint64_t i = 0; i < count; ++i) {
      skip(static_cast<Type>(types >> 4), depth + 1);
      skip(static_cast<Type>(types & 0x0FU), depth + 1);
    }
    return;
  }
  read_list([&](Type type) {
    // A bool in a list has a byte of its own.
    if (type == Type::kTrue || type == Type::kFalse) {
      skip_bytes(1);
    } else {
      skip(type, depth + 1);
    }
  });
}

void ThriftReader::skip(Type type, int depth) {
  if (depth > kMaxDepth) fail("it is nested too deeply");
  switch (type) {
    case Type::kTrue:
    case Type::kFalse:
      return;
    case Type::kByte:
      return skip_bytes(1);
    case Type::kI16:
    case Type::kI32:
    case Type::kI64:
      read_varint();
      return;
    case Type::kDouble:
      return skip_bytes(8);
    case Type::kBinary:
      return skip_bytes(read_varint());
    case Type::kList:
    case Type::kSet:
      return skip_items(false, depth);
    case Type::kMap:
      return skip_items(true, depth);
    case Type::kStruct:
      return read_struct([](int, Type) { return false; });
    case Type::kStop:
      break;
  }
  fail("an unknown type");
}

}  // namespace aurum::data

#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace aurum::data {

// Reads Thrift's compact protocol, in which Parquet writes its metadata. Every length is checked
// against the bytes that are there. Throws FormatError that starts with `source`.
class ThriftReader {
 public:
  enum class Type : std::uint8_t {
    kStop = 0,
    kTrue = 1,
    kFalse = 2,
    kByte = 3,
    kI16 = 4,
    kI32 = 5,
    kI64 = 6,
    kDouble = 7,
    kBinary = 8,
    kList = 9,
    kSet = 10,
    kMap = 11,
    kStruct = 12
  };

  ThriftReader(std::span<const std::byte> bytes, std::string source)
      : bytes_(bytes), source_(std::move(source)) {}

  // Calls `on_field(id, type)` for each field of a struct; it returns false for a field that it
  // does not read, which is then skipped.
  void read_struct(const std::function<bool(int id, Type type)>& on_field);
  // Calls `on_item(type)` for each item of a list.
  void read_list(const std::function<void(Type type)>& on_item);

  std::int64_t read_integer();  // of any width
  std::int32_t read_i32();      // refuses what does not fit
  std::string read_text();

  std::size_t position() const { return at_; }

 private:
  [[noreturn]] void fail(const std::string& what) const;
  std::uint8_t read_byte();
  std::uint64_t read_varint();
  void skip(Type type, int depth);
  void skip_bytes(std::uint64_t count);
  void skip_items(bool is_map, int depth);

  std::span<const std::byte> bytes_;
  std::string source_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace aurum::data

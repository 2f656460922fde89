#include "data/parquet/decompress.h"

#include <cstdint>
#include <cstring>

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include "base/error.h"
#include "data/parquet/metadata.h"

namespace aurum::data {

namespace {

// A page has at most 2 GiB by the format; a real one has 1 MiB.
constexpr std::size_t kMostBytes = std::size_t{1} << 30;

// Snappy (google/snappy, format_description.txt): the length, then literals and copies of what was
// already written.
class SnappyDecoder {
 public:
  SnappyDecoder(std::span<const std::byte> bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  // False for damaged data.
  bool decode(std::string& out) {
    std::uint64_t size = 0;
    if (!read_varint(size) || size != size_) return false;
    out.reserve(size_);
    while (at_ < bytes_.size()) {
      const std::uint8_t tag = byte(at_++);
      if (!((tag & 3U) == 0 ? literal(tag, out) : copy(tag, out))) return false;
    }
    return out.size() == size_;
  }

 private:
  std::uint8_t byte(std::size_t at) const { return static_cast<std::uint8_t>(bytes_[at]); }

  bool read_little_endian(std::size_t count, std::size_t& value) {
    if (count > bytes_.size() - at_) return false;
    value = 0;
    for (std::size_t i = 0; i < count; ++i) value |= std::size_t{byte(at_ + i)} << (8 * i);
    at_ += count;
    return true;
  }

  bool read_varint(std::uint64_t& value) {
    for (int shift = 0; shift < 35 && at_ < bytes_.size(); shift += 7) {
      const std::uint8_t part = byte(at_++);
      value |= std::uint64_t{part & 0x7FU} << shift;
      if (part < 0x80) return true;
    }
    return false;
  }

  bool literal(std::uint8_t tag, std::string& out) {
    std::size_t length = tag >> 2;
    if (length >= 60 && !read_little_endian(length - 59, length)) return false;
    ++length;
    if (length > bytes_.size() - at_ || length > size_ - out.size()) return false;
    out.append(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
    at_ += length;
    return true;
  }

  bool copy(std::uint8_t tag, std::string& out) {
    std::size_t length = (tag >> 2) + 1U;
    std::size_t offset = 0;
    if ((tag & 3U) == 1) {
      length = ((tag >> 2) & 7U) + 4U;
      if (!read_little_endian(1, offset)) return false;
      offset |= static_cast<std::size_t>(tag >> 5) << 8;
    } else if (!read_little_endian((tag & 3U) == 2 ? 2 : 4, offset)) {
      return false;
    }
    if (offset == 0 || offset > out.size() || length > size_ - out.size()) return false;
    // The copy may overlap what it writes, so that it repeats a pattern.
    for (std::size_t i = 0; i < length; ++i) out.push_back(out[out.size() - offset]);
    return true;
  }

  std::span<const std::byte> bytes_;
  std::size_t size_, at_ = 0;
};

bool decode_gzip(std::span<const std::byte> bytes, std::string& out) {
  z_stream state{};
  constexpr int kGzipOrZlib = 15 + 32;
  if (::inflateInit2(&state, kGzipOrZlib) != Z_OK) throw std::bad_alloc();
  state.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  state.avail_in = static_cast<uInt>(bytes.size());
  state.next_out = reinterpret_cast<Bytef*>(out.data());
  state.avail_out = static_cast<uInt>(out.size());
  const int result = ::inflate(&state, Z_FINISH);
  const bool is_whole = result == Z_STREAM_END && state.avail_out == 0;
  ::inflateEnd(&state);
  return is_whole;
}

bool decode_zstd(std::span<const std::byte> bytes, std::string& out) {
  return ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size()) == out.size();
}

}  // namespace

std::string decompress(int codec, std::span<const std::byte> bytes, std::size_t size,
                       const std::string& source) {
  if (size > kMostBytes) {
    throw FormatError(fmt::format("{}: a page of {} bytes is too large", source, size));
  }
  std::string out;
  bool is_good = false;
  switch (static_cast<Codec>(codec)) {
    case Codec::kUncompressed:
      out.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      is_good = bytes.size() == size;
      break;
    case Codec::kSnappy:
      is_good = SnappyDecoder(bytes, size).decode(out);
      break;
    case Codec::kGzip:
      out.resize(size);
      is_good = decode_gzip(bytes, out);
      break;
    case Codec::kZstd:
      out.resize(size);
      is_good = decode_zstd(bytes, out);
      break;
    default:
      throw FormatError(
          fmt::format("{}: Parquet codec {} is not supported; there are none, snappy, "
                      "gzip and zstd",
                      source, codec));
  }
  if (!is_good) throw FormatError(source + ": this Parquet file is damaged: a page is broken");
  return out;
}

}  // namespace aurum::data

#include "data/parquet/column.h"

#include <bit>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "data/parquet/decompress.h"

namespace aurum::data {

namespace {

using Json = nlohmann::ordered_json;

// Runs make a few bytes into any number of values; no row group of text has as many as this.
constexpr std::int64_t kMostValues = std::int64_t{1} << 26;

// Reads numbers from the front of a page.
class PageBytes {
 public:
  PageBytes(std::string_view bytes, const std::string& source) : bytes_(bytes), source_(source) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: this Parquet file is damaged: {}", source_, what));
  }

  std::string_view take(std::size_t count) {
    if (count > bytes_.size()) fail("a page ends too early");
    const std::string_view front = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return front;
  }

  template <typename T>
  T take_number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::uint64_t take_varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = take_number<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    fail("a number is too long");
  }

  bool is_empty() const { return bytes_.empty(); }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
  const std::string& source_;
};

// The hybrid of run lengths and packed bits: `count` numbers of `width` bits.
std::vector<std::uint32_t> decode_hybrid(PageBytes bytes, int width, std::size_t count) {
  if (width < 0 || width > 32) bytes.fail("a bit width is out of range");
  std::vector<std::uint32_t> out;
  out.reserve(count);
  while (out.size() < count) {
    const std::uint64_t header = bytes.take_varint();
    if ((header & 1) == 0) {
      const std::string_view number = bytes.take(static_cast<std::size_t>((width + 7) / 8));
      std::uint32_t value = 0;
      for (std::size_t i = 0; i < number.size(); ++i) {
        value |= std::uint32_t{static_cast<std::uint8_t>(number[i])} << (8 * i);
      }
      const std::uint64_t run = std::min<std::uint64_t>(header >> 1, count - out.size());
      if (run == 0) bytes.fail("an empty run");
      out.insert(out.end(), run, value);
      continue;
    }
    // Groups of eight numbers; the last one may be cut short where the page ends.
    const std::uint64_t num_groups = header >> 1;
    if (num_groups == 0 || num_groups > count) bytes.fail("a packed run is too long");
    const std::size_t size = static_cast<std::size_t>(num_groups) * static_cast<std::size_t>(width);
    const std::string_view packed = bytes.take(std::min(size, bytes.rest().size()));
    const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
    std::uint64_t window = 0;
    int num_bits = 0;
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < num_groups * 8 && out.size() < count; ++i) {
      while (num_bits < width) {
        if (at >= packed.size()) bytes.fail("a packed run ends too early");
        window |= std::uint64_t{static_cast<std::uint8_t>(packed[at++])} << num_bits;
        num_bits += 8;
      }
      out.push_back(static_cast<std::uint32_t>(window & mask));
      window >>= width;
      num_bits -= width;
    }
  }
  return out;
}

Json plain_value(PageBytes& bytes, PhysicalType type) {
  switch (type) {
    case PhysicalType::kInt32:
      return bytes.take_number<std::int32_t>();
    case PhysicalType::kInt64:
      return bytes.take_number<std::int64_t>();
    case PhysicalType::kFloat:
      return bytes.take_number<float>();
    case PhysicalType::kDouble:
      return bytes.take_number<double>();
    case PhysicalType::kByteArray: {
      const auto size = bytes.take_number<std::uint32_t>();
      return std::string(bytes.take(size));
    }
    case PhysicalType::kBoolean:
    case PhysicalType::kInt96:
    case PhysicalType::kFixed:
      break;
  }
  bytes.fail("a value of a type that rows of text do not have");
}

std::vector<Json> decode_plain(PageBytes bytes, PhysicalType type, std::size_t count) {
  std::vector<Json> values;
  if (type == PhysicalType::kBoolean) {
    const std::string_view bits = bytes.take((count + 7) / 8);
    for (std::size_t i = 0; i < count; ++i) {
      values.emplace_back(((static_cast<std::uint8_t>(bits[i / 8]) >> (i % 8)) & 1) != 0);
    }
    return values;
  }
  for (std::size_t i = 0; i < count; ++i) values.push_back(plain_value(bytes, type));
  return values;
}

class ColumnReader {
 public:
  ColumnReader(std::span<const std::byte> bytes, const ColumnChunk& chunk, const SchemaNode& leaf,
               const std::string& source)
      : bytes_(bytes), chunk_(chunk), leaf_(leaf), source_(source) {}

  Column read() {
    if (chunk_.num_values > kMostValues) fail("a column has too many values");
    while (static_cast<std::int64_t>(column_.definition_levels.size()) < chunk_.num_values) {
      PageHeader header;
      const std::size_t header_size = parse_page_header(bytes_, source_, header);
      const auto body =
          bytes_.subspan(header_size, static_cast<std::size_t>(header.compressed_size));
      bytes_ = bytes_.subspan(header_size + body.size());
      read_page(header, body);
    }
    return std::move(column_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: this Parquet file is damaged: {}", source_, what));
  }

  void read_page(const PageHeader& header, std::span<const std::byte> body) {
    const std::int64_t left =
        chunk_.num_values - static_cast<std::int64_t>(column_.definition_levels.size());
    const auto size = static_cast<std::size_t>(header.uncompressed_size);
    switch (header.kind) {
      case PageKind::kDictionary: {
        const std::string page = decompress(chunk_.codec, body, size, source_);
        // Each value takes a bit at least.
        if (static_cast<std::uint64_t>(header.num_values) > page.size() * 8) {
          fail("a dictionary has more values than bytes");
        }
        dictionary_ =
            decode_plain({page, source_}, chunk_.type, static_cast<std::size_t>(header.num_values));
        return;
      }
      case PageKind::kData:
      case PageKind::kDataV2:
        if (header.num_values == 0 || header.num_values > left) {
          fail("a page has another number of values than its column");
        }
        return header.kind == PageKind::kData
                   ? read_data(header, decompress(chunk_.codec, body, size, source_))
                   : read_data_v2(header, body);
      case PageKind::kIndex:
        return;
    }
    fail("a page of an unknown kind");
  }

  void read_data(const PageHeader& header, const std::string& page) {
    PageBytes bytes(page, source_);
    const auto count = static_cast<std::size_t>(header.num_values);
    // Each level list has its length in front; a level that is always 0 has no list.
    const auto levels = [&](int most) {
      if (most == 0) return std::vector<std::uint32_t>(count, 0);
      const auto size = bytes.take_number<std::uint32_t>();
      return decode_hybrid({bytes.take(size), source_}, width_of(most), count);
    };
    const auto repetition = levels(leaf_.max_repetition);
    const auto definition = levels(leaf_.max_definition);
    add_entries(repetition, definition);
    add_values(header, bytes, definition);
  }

  void read_data_v2(const PageHeader& header, std::span<const std::byte> body) {
    const std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
    if (header.repetition_bytes < 0 || header.definition_bytes < 0)
      fail("a level list is negative");
    PageBytes bytes(text, source_);
    const auto count = static_cast<std::size_t>(header.num_values);
    const auto levels = [&](std::int64_t size, int most) {
      const std::string_view list = bytes.take(static_cast<std::size_t>(size));
      if (most == 0) return std::vector<std::uint32_t>(count, 0);
      return decode_hybrid({list, source_}, width_of(most), count);
    };
    const auto repetition = levels(header.repetition_bytes, leaf_.max_repetition);
    const auto definition = levels(header.definition_bytes, leaf_.max_definition);
    const std::int64_t level_bytes = header.repetition_bytes + header.definition_bytes;
    if (header.uncompressed_size < level_bytes) fail("a page is shorter than its levels");
    const std::string_view rest = bytes.rest();
    const std::string values =
        decompress(header.is_compressed ? chunk_.codec : static_cast<int>(Codec::kUncompressed),
                   std::as_bytes(std::span(rest)),
                   static_cast<std::size_t>(header.uncompressed_size - level_bytes), source_);
    add_entries(repetition, definition);
    add_values(header, {values, source_}, definition);
  }

  static int width_of(int most) { return std::bit_width(static_cast<unsigned>(most)); }

  void add_entries(const std::vector<std::uint32_t>& repetition,
                   const std::vector<std::uint32_t>& definition) {
    for (std::size_t i = 0; i < definition.size(); ++i) {
      if (static_cast<int>(definition[i]) > leaf_.max_definition ||
          static_cast<int>(repetition[i]) > leaf_.max_repetition) {
        fail("a level is larger than the schema allows");
      }
      column_.definition_levels.push_back(static_cast<std::int16_t>(definition[i]));
      column_.repetition_levels.push_back(static_cast<std::int16_t>(repetition[i]));
    }
  }

  void add_values(const PageHeader& header, PageBytes bytes,
                  const std::vector<std::uint32_t>& definition) {
    std::size_t count = 0;
    for (const std::uint32_t level : definition) {
      count += static_cast<int>(level) == leaf_.max_definition ? 1 : 0;
    }
    const auto encoding = static_cast<Encoding>(header.encoding);
    std::vector<Json> values;
    if (encoding == Encoding::kPlain) {
      values = decode_plain(bytes, chunk_.type, count);
    } else if (encoding == Encoding::kRle && chunk_.type == PhysicalType::kBoolean) {
      const auto size = bytes.take_number<std::uint32_t>();
      for (const std::uint32_t bit : decode_hybrid({bytes.take(size), source_}, 1, count)) {
        values.emplace_back(bit != 0);
      }
    } else if (encoding == Encoding::kRleDictionary || encoding == Encoding::kPlainDictionary) {
      values = look_up(bytes, count);
    } else {
      throw FormatError(
          fmt::format("{}: Parquet encoding {} is not supported; write the file with "
                      "plain or dictionary encoding",
                      source_, header.encoding));
    }
    std::move(values.begin(), values.end(), std::back_inserter(column_.values));
  }

  std::vector<Json> look_up(PageBytes bytes, std::size_t count) const {
    std::vector<Json> values;
    if (count == 0) return values;
    const int width = bytes.take_number<std::uint8_t>();
    for (const std::uint32_t index : decode_hybrid(bytes, width, count)) {
      if (index >= dictionary_.size()) fail("an index lies outside of its dictionary");
      values.push_back(dictionary_[index]);
    }
    return values;
  }

  std::span<const std::byte> bytes_;
  const ColumnChunk& chunk_;
  const SchemaNode& leaf_;
  const std::string& source_;
  std::vector<Json> dictionary_;
  Column column_;
};

}  // namespace

Column read_column(std::span<const std::byte> file, const ColumnChunk& chunk,
                   const SchemaNode& leaf, const std::string& source) {
  const auto bytes =
      file.subspan(static_cast<std::size_t>(chunk.begin), static_cast<std::size_t>(chunk.size));
  return ColumnReader(bytes, chunk, leaf, source).read();
}

}  // namespace aurum::data

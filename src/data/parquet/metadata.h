#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace aurum::data {

// The parts of Parquet's metadata (parquet.thrift) that reading rows needs. Enumerators have the
// format's numbers.
enum class PhysicalType { kBoolean, kInt32, kInt64, kInt96, kFloat, kDouble, kByteArray, kFixed };
enum class Codec { kUncompressed = 0, kSnappy = 1, kGzip = 2, kZstd = 6 };
enum class Repetition { kRequired, kOptional, kRepeated };
enum class Encoding { kPlain = 0, kPlainDictionary = 2, kRle = 3, kRleDictionary = 8 };
enum class PageKind { kData = 0, kIndex = 1, kDictionary = 2, kDataV2 = 3 };

// What a group or value means to people.
enum class Meaning { kNone, kList, kMap };

// One node of the schema, with its children: the record's own tree.
struct SchemaNode {
  std::string name;
  Repetition repetition = Repetition::kRequired;
  Meaning meaning = Meaning::kNone;
  std::optional<PhysicalType> type;  // of a leaf
  std::vector<SchemaNode> children;
  // Levels of an entry in which this node is present.
  int max_definition = 0, max_repetition = 0;
  std::size_t first_leaf = 0, num_leaves = 0;  // its leaves in the order of the columns
};

struct ColumnChunk {
  PhysicalType type = PhysicalType::kByteArray;
  int codec = 0;
  std::int64_t num_values = 0;
  std::int64_t begin = 0, size = 0;  // of its pages in the file
};

struct RowGroup {
  std::int64_t num_rows = 0;
  std::vector<ColumnChunk> columns;  // one per leaf
};

struct FileMetadata {
  SchemaNode root;
  std::vector<RowGroup> row_groups;
};

struct PageHeader {
  PageKind kind = PageKind::kData;
  std::int64_t compressed_size = 0, uncompressed_size = 0;
  std::int64_t num_values = 0;
  int encoding = 0;
  // Version 2: levels lie in front, never compressed.
  std::int64_t definition_bytes = 0, repetition_bytes = 0;
  bool is_compressed = true;
};

// Reads the footer of a whole file. Throws FormatError for one that is no Parquet file, is
// encrypted, or has offsets outside of it.
FileMetadata parse_file_metadata(std::span<const std::byte> file, const std::string& source);

// Reads the header at the front of `bytes` and returns how many bytes it takes.
std::size_t parse_page_header(std::span<const std::byte> bytes, const std::string& source,
                              PageHeader& header);

}  // namespace aurum::data

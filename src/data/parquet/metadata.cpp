#include "data/parquet/metadata.h"

#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "data/parquet/thrift_reader.h"

namespace aurum::data {

namespace {

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxNodes = 10'000;

// One node as the file lists it: depth first, with the number of its children.
struct FlatNode {
  SchemaNode node;
  std::int64_t num_children = 0;
};

Meaning meaning_of_converted_type(std::int32_t type) {
  if (type == 1 || type == 2) return Meaning::kMap;
  return type == 3 ? Meaning::kList : Meaning::kNone;
}

class MetadataReader {
 public:
  MetadataReader(std::span<const std::byte> footer, std::size_t file_size,
                 const std::string& source)
      : reader_(footer, source), file_size_(file_size), source_(source) {}

  FileMetadata read() {
    FileMetadata metadata;
    reader_.read_struct([&](int id, ThriftReader::Type) {
      if (id == 2) reader_.read_list([&](ThriftReader::Type) { flat_.push_back(read_node()); });
      if (id == 4) {
        reader_.read_list(
            [&](ThriftReader::Type) { metadata.row_groups.push_back(read_row_group()); });
      }
      return id == 2 || id == 4;
    });
    if (flat_.empty() || flat_.size() > kMaxNodes) fail("its schema is empty or too large");
    metadata.root = build(0, 0, 0);
    if (next_ != flat_.size()) fail("its schema has nodes outside of its tree");
    check_columns(metadata);
    return metadata;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: this Parquet file is damaged: {}", source_, what));
  }

  FlatNode read_node() {
    FlatNode flat;
    reader_.read_struct([&](int id, ThriftReader::Type) {
      if (id == 1) {
        flat.node.type = static_cast<PhysicalType>(read_enum(7));
      } else if (id == 3) {
        flat.node.repetition = static_cast<Repetition>(read_enum(2));
      } else if (id == 4) {
        flat.node.name = reader_.read_text();
      } else if (id == 5) {
        flat.num_children = reader_.read_i32();
      } else if (id == 6) {
        flat.node.meaning = meaning_of_converted_type(reader_.read_i32());
      } else if (id == 10) {
        read_logical_type(flat.node);
      } else {
        return false;
      }
      return true;
    });
    return flat;
  }

  // A union: which field it has says what the type is.
  void read_logical_type(SchemaNode& node) {
    reader_.read_struct([&](int id, ThriftReader::Type) {
      if (id == 2) node.meaning = Meaning::kMap;
      if (id == 3) node.meaning = Meaning::kList;
      return false;
    });
  }

  std::int32_t read_enum(std::int32_t most) {
    const std::int32_t value = reader_.read_i32();
    if (value < 0 || value > most) fail("an unknown type");
    return value;
  }

  RowGroup read_row_group() {
    RowGroup group;
    reader_.read_struct([&](int id, ThriftReader::Type) {
      if (id == 1) {
        reader_.read_list([&](ThriftReader::Type) { group.columns.push_back(read_column()); });
      } else if (id == 3) {
        group.num_rows = reader_.read_integer();
      } else {
        return false;
      }
      return true;
    });
    if (group.num_rows < 0) fail("a row group has a negative number of rows");
    return group;
  }

  ColumnChunk read_column() {
    ColumnChunk column;
    bool has_metadata = false;
    reader_.read_struct([&](int id, ThriftReader::Type) {
      if (id == 1) {
        throw FormatError(source_ + ": its columns lie in other files, which is not supported");
      }
      if (id != 3) return false;
      has_metadata = true;
      read_column_metadata(column);
      return true;
    });
    if (!has_metadata) fail("a column has no metadata; is it encrypted?");
    return column;
  }

  void read_column_metadata(ColumnChunk& column) {
    std::int64_t data_offset = -1;
    std::int64_t dictionary_offset = -1;
    reader_.read_struct([&](int id, ThriftReader::Type) {
      switch (id) {
        case 1:
          column.type = static_cast<PhysicalType>(read_enum(7));
          return true;
        case 4:
          column.codec = reader_.read_i32();
          return true;
        case 5:
          column.num_values = reader_.read_integer();
          return true;
        case 7:
          column.size = reader_.read_integer();
          return true;
        case 9:
          data_offset = reader_.read_integer();
          return true;
        case 11:
          dictionary_offset = reader_.read_integer();
          return true;
        default:
          return false;
      }
    });
    const bool has_dictionary = dictionary_offset > 0 && dictionary_offset < data_offset;
    column.begin = has_dictionary ? dictionary_offset : data_offset;
    const auto size = static_cast<std::int64_t>(file_size_);
    if (column.begin < 0 || column.size < 0 || column.begin > size ||
        column.size > size - column.begin || column.num_values < 0) {
      fail("a column lies outside of the file");
    }
  }

  // Takes the next node of the flat list with all its children. The levels are those of its parent.
  SchemaNode build(int definition, int repetition, int depth) {
    if (depth > kMaxDepth || next_ >= flat_.size()) fail("its schema is no tree");
    FlatNode& flat = flat_[next_++];
    SchemaNode node = std::move(flat.node);
    const bool is_root = depth == 0;
    if (!is_root && node.repetition != Repetition::kRequired) ++definition;
    if (!is_root && node.repetition == Repetition::kRepeated) ++repetition;
    node.max_definition = definition;
    node.max_repetition = repetition;
    node.first_leaf = num_leaves_;
    const std::int64_t num_children = flat.num_children;
    if (num_children < 0 || num_children > static_cast<std::int64_t>(flat_.size())) {
      fail("a node of its schema has a wrong number of children");
    }
    if (num_children == 0) {
      if (!node.type) fail("a group of its schema has no columns");
      ++num_leaves_;
    } else {
      node.type.reset();
    }
    for (std::int64_t i = 0; i < num_children; ++i) {
      node.children.push_back(build(definition, repetition, depth + 1));
    }
    node.num_leaves = num_leaves_ - node.first_leaf;
    return node;
  }

  void check_columns(const FileMetadata& metadata) const {
    for (const RowGroup& group : metadata.row_groups) {
      if (group.columns.size() != num_leaves_) fail("a row group lacks columns");
    }
  }

  ThriftReader reader_;
  std::size_t file_size_;
  const std::string& source_;
  std::vector<FlatNode> flat_;
  std::size_t next_ = 0, num_leaves_ = 0;
};

}  // namespace

FileMetadata parse_file_metadata(std::span<const std::byte> file, const std::string& source) {
  constexpr std::size_t kTail = 8;  // footer length and "PAR1"
  const auto text = [&](std::size_t at) {
    return std::string_view(reinterpret_cast<const char*>(file.data()) + at, 4);
  };
  if (file.size() < 4 + kTail || text(0) != "PAR1" || text(file.size() - 4) != "PAR1") {
    const bool is_encrypted = file.size() >= 12 && text(file.size() - 4) == "PARE";
    throw FormatError(source + (is_encrypted ? ": this Parquet file is encrypted"
                                             : ": this is no whole Parquet file"));
  }
  std::uint32_t size = 0;
  std::memcpy(&size, file.data() + file.size() - kTail, sizeof size);
  if (size > file.size() - kTail - 4) {
    throw FormatError(source +
                      ": this Parquet file is damaged: its footer is longer than the file");
  }
  return MetadataReader(file.subspan(file.size() - kTail - size, size), file.size(), source).read();
}

std::size_t parse_page_header(std::span<const std::byte> bytes, const std::string& source,
                              PageHeader& header) {
  ThriftReader reader(bytes, source);
  header = {};
  // The three kinds of page keep the same facts under other numbers.
  const auto read_kind = [&](int values_id, int encoding_id, bool is_v2) {
    reader.read_struct([&](int id, ThriftReader::Type type) {
      if (id == values_id) {
        header.num_values = reader.read_i32();
      } else if (id == encoding_id) {
        header.encoding = reader.read_i32();
      } else if (is_v2 && id == 5) {
        header.definition_bytes = reader.read_i32();
      } else if (is_v2 && id == 6) {
        header.repetition_bytes = reader.read_i32();
      } else if (is_v2 && id == 7) {
        header.is_compressed = type == ThriftReader::Type::kTrue;
      } else {
        return false;
      }
      return true;
    });
  };
  reader.read_struct([&](int id, ThriftReader::Type) {
    if (id == 1) {
      header.kind = static_cast<PageKind>(reader.read_i32());
    } else if (id == 2) {
      header.uncompressed_size = reader.read_i32();
    } else if (id == 3) {
      header.compressed_size = reader.read_i32();
    } else if (id == 5 || id == 7) {
      read_kind(1, 2, false);
    } else if (id == 8) {
      read_kind(1, 4, true);
    } else {
      return false;
    }
    return true;
  });
  const std::size_t left = bytes.size() - reader.position();
  if (header.compressed_size < 0 || header.uncompressed_size < 0 || header.num_values < 0 ||
      static_cast<std::uint64_t>(header.compressed_size) > left) {
    throw FormatError(source + ": this Parquet file is damaged: a page reaches beyond its column");
  }
  return reader.position();
}

}  // namespace aurum::data

#include "data/parquet/parquet_file.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "data/parquet/column.h"
#include "data/parquet/metadata.h"

namespace aurum::data {

namespace {

using Json = OrderedJson;

bool is_supported(const SchemaNode& leaf) {
  return leaf.type != PhysicalType::kInt96 && leaf.type != PhysicalType::kFixed;
}

void collect_leaves(const SchemaNode& node, std::vector<const SchemaNode*>& leaves) {
  if (node.children.empty()) leaves.push_back(&node);
  for (const SchemaNode& child : node.children) collect_leaves(child, leaves);
}

// Puts the columns of a row group together again, record by record (Melnik et al. 2010, "Dremel",
// section 4.3): an entry's definition level says how much of its path is there, its repetition
// level at which list it goes on.
class RecordAssembler {
 public:
  RecordAssembler(const SchemaNode& root, std::vector<Column> columns, const std::string& source)
      : root_(root), columns_(std::move(columns)), source_(source), cursors_(columns_.size()) {}

  Json next() {
    Json row = group(root_);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const Column& column = columns_[i];
      const std::size_t at = cursors_[i].entry;
      if (at < column.repetition_levels.size() && column.repetition_levels[at] != 0) {
        fail("a row does not end with its lists");
      }
    }
    return row;
  }

 private:
  struct Cursor {
    std::size_t entry = 0, value = 0;
  };

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: this Parquet file is damaged: {}", source_, what));
  }

  // The columns that were left out have no entries and count as absent.
  std::size_t first_present_leaf(const SchemaNode& node) const {
    for (std::size_t i = node.first_leaf; i < node.first_leaf + node.num_leaves; ++i) {
      if (!columns_[i].definition_levels.empty()) return i;
    }
    return columns_.size();
  }

  int definition(std::size_t leaf) const {
    const Column& column = columns_[leaf];
    if (cursors_[leaf].entry >= column.definition_levels.size()) fail("a column ends too early");
    return column.definition_levels[cursors_[leaf].entry];
  }

  bool goes_on(std::size_t leaf, int repetition) const {
    const Column& column = columns_[leaf];
    const std::size_t at = cursors_[leaf].entry;
    return at < column.repetition_levels.size() && column.repetition_levels[at] == repetition;
  }

  Json group(const SchemaNode& node) {
    Json object = Json::object();
    for (const SchemaNode& child : node.children) {
      if (first_present_leaf(child) < columns_.size()) object[child.name] = field(child);
    }
    return object;
  }

  Json field(const SchemaNode& node) {
    const std::size_t leaf = first_present_leaf(node);
    if (node.repetition == Repetition::kRequired) return value(node);
    if (definition(leaf) < node.max_definition) {
      skip_entry(node);
      return node.repetition == Repetition::kRepeated ? Json::array() : Json(nullptr);
    }
    if (node.repetition == Repetition::kOptional) return value(node);
    Json items = Json::array();
    do {
      items.push_back(value(node));
    } while (goes_on(leaf, node.max_repetition));
    return items;
  }

  // The empty or absent thing has one entry in each of its columns.
  void skip_entry(const SchemaNode& node) {
    for (std::size_t i = node.first_leaf; i < node.first_leaf + node.num_leaves; ++i) {
      if (columns_[i].definition_levels.empty()) continue;
      if (definition(i) >= node.max_definition) fail("two columns disagree on what is there");
      ++cursors_[i].entry;
    }
  }

  Json value(const SchemaNode& node) {
    if (node.children.empty()) return leaf_value(node);
    const bool is_wrapper =
        node.children.size() == 1 && node.children[0].repetition == Repetition::kRepeated;
    if (node.meaning == Meaning::kList && is_wrapper) return list(node.children[0]);
    if (node.meaning == Meaning::kMap && is_wrapper) return map(node.children[0]);
    return group(node);
  }

  // The three-level form of a list holds its elements in a group of one field.
  Json list(const SchemaNode& repeated) {
    Json items = field(repeated);
    if (repeated.children.size() != 1 || repeated.name == "array") return items;
    for (Json& item : items) item = Json(item.begin().value());
    return items;
  }

  Json map(const SchemaNode& repeated) {
    Json object = Json::object();
    if (repeated.children.size() != 2) return field(repeated);
    for (Json& pair : field(repeated)) {
      const Json& key = pair[repeated.children[0].name];
      object[key.is_string() ? key.get<std::string>() : key.dump()] =
          pair[repeated.children[1].name];
    }
    return object;
  }

  Json leaf_value(const SchemaNode& node) {
    Cursor& cursor = cursors_[node.first_leaf];
    Column& column = columns_[node.first_leaf];
    if (definition(node.first_leaf) != node.max_definition ||
        cursor.value >= column.values.size()) {
      fail("a column has fewer values than its levels say");
    }
    ++cursor.entry;
    return std::move(column.values[cursor.value++]);
  }

  const SchemaNode& root_;
  std::vector<Column> columns_;
  const std::string& source_;
  std::vector<Cursor> cursors_;
};

}  // namespace

void read_parquet_rows(const std::string& path, const RowSink& sink) {
  const auto file = MappedFile::open(path);
  const FileMetadata metadata = parse_file_metadata(file->bytes(), path);
  std::vector<const SchemaNode*> leaves;
  collect_leaves(metadata.root, leaves);
  std::int64_t row_number = 0;
  for (const RowGroup& group : metadata.row_groups) {
    std::vector<Column> columns;
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      columns.push_back(is_supported(*leaves[i])
                            ? read_column(file->bytes(), group.columns[i], *leaves[i], path)
                            : Column{});
    }
    bool has_entries = group.num_rows == 0;
    for (const Column& column : columns) has_entries |= !column.definition_levels.empty();
    if (!has_entries) throw FormatError(path + ": no column of this file can be read");
    RecordAssembler records(metadata.root, std::move(columns), path);
    for (std::int64_t i = 0; i < group.num_rows; ++i) {
      Json row = records.next();
      if (!sink(std::move(row), fmt::format("{}: row {}", path, ++row_number))) return;
    }
  }
}

}  // namespace aurum::data

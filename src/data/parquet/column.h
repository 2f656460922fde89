#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/parquet/metadata.h"

namespace aurum::data {

// One column of one row group, decoded: an entry per value or null, as Dremel lays nested records
// out. `values` holds those whose definition level is the leaf's largest.
struct Column {
  std::vector<std::int16_t> definition_levels, repetition_levels;
  std::vector<nlohmann::ordered_json> values;
};

// Decodes data pages of version 1 and 2 in the encodings PLAIN and dictionary. Throws FormatError
// for damaged pages and other encodings.
Column read_column(std::span<const std::byte> file, const ColumnChunk& chunk,
                   const SchemaNode& leaf, const std::string& source);

}  // namespace aurum::data

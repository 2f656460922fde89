#pragma once

#include <string>

#include "data/rows.h"

namespace aurum::data {

// Hands the rows of a Parquet file to `sink`, one row group in memory at a time; sources are
// "file.parquet: row 12". Covers what tables of text and conversations are made of: strings,
// numbers and bools in structs, lists and maps, PLAIN and dictionary encoding, no compression,
// Snappy, gzip or Zstandard. Columns of other types are left out of the rows. Throws FormatError
// for anything damaged or beyond that.
void read_parquet_rows(const std::string& path, const RowSink& sink);

}  // namespace aurum::data

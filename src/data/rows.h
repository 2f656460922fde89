#pragma once

#include <functional>
#include <string>

#include <nlohmann/json.hpp>

namespace aurum::data {

using OrderedJson = nlohmann::ordered_json;

// Takes one row and where it comes from ("rows.jsonl:12"); false stops the reading.
using RowSink = std::function<bool(OrderedJson row, const std::string& source)>;

// Whether a file name is one that read_rows() takes: .jsonl, .ndjson, .json (also .gz, .zst) or
// .parquet.
bool is_row_file(const std::string& name);

// Hands the rows of a file to `sink` in order, a few in memory at a time. A .json file holds an
// array of objects or one object a line. Throws InputError ("rows.jsonl:12: ...") for a row that is
// no JSON object, FormatError or IoError for a damaged or missing file.
void read_rows(const std::string& path, const RowSink& sink);

}  // namespace aurum::data

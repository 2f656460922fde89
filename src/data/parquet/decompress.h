#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace aurum::data {

// Undoes the compression of one Parquet page; `codec` is the format's number. The result has
// exactly `size` bytes. Throws FormatError for damaged data, another size, or a codec other than
// uncompressed, Snappy, gzip and Zstandard.
std::string decompress(int codec, std::span<const std::byte> bytes, std::size_t size,
                       const std::string& source);

}  // namespace aurum::data

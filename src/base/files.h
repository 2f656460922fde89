#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace aurum {

// Reads a whole file. Throws IoError when it is missing, not a regular file or larger than
// `limit_bytes`.
std::string read_file(const std::filesystem::path& path,
                      std::uint64_t limit_bytes = std::uint64_t{1} << 31);

// The same, but nullopt when there is no such file.
std::optional<std::string> read_file_if_present(const std::filesystem::path& path,
                                                std::uint64_t limit_bytes = std::uint64_t{1} << 31);

// Writes a file whole or not at all: to a temporary name in the same folder, synced, then renamed.
// Throws IoError (disk full, no permission) and leaves an existing file untouched.
void write_file(const std::filesystem::path& path, std::string_view content);

// The same for content that is too large to hold: `write` streams into the temporary file, and any
// exception it throws removes it.
void write_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);

// Makes a folder and its parents. Throws IoError when a part of the path is a file.
void make_folder(const std::filesystem::path& path);

// Flushes a folder's entries to disk, so that a rename in it survives a power cut.
void sync_folder(const std::filesystem::path& path);

}  // namespace aurum

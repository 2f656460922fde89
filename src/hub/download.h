#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace aurum::hub {

struct Download {
  std::string url, token;
  std::filesystem::path target;
  std::uint64_t size = 0;
  // What the content must hash to: sha256 of it (64 digits), or git's sha1 of "blob SIZE\0" and it
  // (40 digits).
  std::string checksum;
};

using DownloadProgress = std::function<void(std::uint64_t done_bytes)>;

// Fetches `url` to `target`, whole and checked or not at all. A part that an earlier call left in
// TARGET.incomplete is continued; a broken connection is taken up again as long as bytes arrive.
// Two programs may fetch one file: the second waits for the first. Throws IoError, FormatError for
// a wrong checksum or size, InputError when the server refuses.
void download(const Download& request, const DownloadProgress& progress);

// Throws InputError that says what the status means for `what` (a model or file): 401, 403, 404 ...
void check_status(int status, const std::string& what, const std::string& url);

}  // namespace aurum::hub

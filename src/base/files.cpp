#include "base/files.h"

#include <cerrno>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

namespace aurum {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path, std::uint64_t limit_bytes) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw IoError(path.string() + ": no such file");
  if (!fs::is_regular_file(status)) throw IoError(path.string() + ": is not a regular file");
  const std::uint64_t size = fs::file_size(path, error);
  if (error) throw IoError(fmt::format("{}: {}", path.string(), error.message()));
  if (size > limit_bytes) {
    throw IoError(fmt::format("{}: has {} bytes, more than the limit of {}", path.string(), size,
                              limit_bytes));
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw_errno(path.string(), "cannot open");
  std::string content(size, '\0');
  stream.read(content.data(), static_cast<std::streamsize>(size));
  content.resize(static_cast<std::size_t>(stream.gcount()));
  return content;
}

std::optional<std::string> read_file_if_present(const fs::path& path, std::uint64_t limit_bytes) {
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  return read_file(path, limit_bytes);
}

namespace {

void sync_path(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) throw_errno(path, "cannot open to sync");
  const int result = ::fsync(descriptor);
  ::close(descriptor);
  if (result != 0 && errno != EINVAL) throw_errno(path, "cannot sync to disk");
}

}  // namespace

void write_file(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  const std::string temporary = fmt::format("{}.{}.tmp", path.string(), ::getpid());
  try {
    std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
    if (!stream) throw_errno(path.string(), "cannot write");
    write(stream);
    stream.close();
    if (!stream) throw_errno(path.string(), "cannot write", "Is the disk full?");
    sync_path(temporary, O_RDONLY);
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno(path.string(), "cannot write");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void write_file(const fs::path& path, std::string_view content) {
  write_file(path, [&](std::ostream& stream) {
    stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  });
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path)) {
    throw IoError(fmt::format("{}: cannot make this folder: {}. Choose another one.", path.string(),
                              error ? error.message() : "a file of that name is in the way"));
  }
}

void sync_folder(const fs::path& path) { sync_path(path.string(), O_RDONLY | O_DIRECTORY); }

}  // namespace aurum

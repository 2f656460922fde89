#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace aurum {

// A read-only memory map of a whole regular file. Shared so that tensors and token tables that
// point into it keep it alive. Thread-safe after construction.
class MappedFile {
 public:
  // Throws IoError when the file is missing, unreadable or not a regular file.
  static std::shared_ptr<const MappedFile> open(const std::string& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::size_t size() const { return size_; }

  // Takes the whole pages inside `part` out of this process's memory; they are read from the file
  // again when they are next touched. A part that lies outside of the file is left alone.
  void drop_pages(std::span<const std::byte> part) const;

 private:
  MappedFile(std::string path, const std::byte* data, std::size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}

  std::string path_;
  const std::byte* data_;
  std::size_t size_;
};

}  // namespace aurum

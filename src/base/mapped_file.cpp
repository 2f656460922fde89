#include "base/mapped_file.h"

#include <cstdint>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace aurum {

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw_errno(path, "cannot open");
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) {
    ::close(descriptor);
    throw_errno(path, "cannot read its size");
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw IoError(path + ": is not a regular file");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = nullptr;
  if (size > 0) {
    address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (address == MAP_FAILED) {
      ::close(descriptor);
      throw_errno(path, "cannot map into memory");
    }
  }
  ::close(descriptor);
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, static_cast<const std::byte*>(address), size));
}

void MappedFile::drop_pages(std::span<const std::byte> part) const {
  const auto first = reinterpret_cast<std::uintptr_t>(part.data()), last = first + part.size();
  const auto file_first = reinterpret_cast<std::uintptr_t>(data_);
  if (first < file_first || last > file_first + size_) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = (first + page - 1) / page * page, end = last / page * page;
  if (begin >= end) return;
  // A hint: where it fails, the pages stay.
  ::madvise(const_cast<std::byte*>(part.data()) + (begin - first), end - begin, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (size_ > 0) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace aurum

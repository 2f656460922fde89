#include "base/files.h"

#include <algorithm>
#include <fstream>
#include <ostream>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "tests/support/temporary_folder.h"

namespace aurum {
namespace {

using testing_support::TemporaryFolder;

TEST(Files, ReadsBackWhatItWrote) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a", "one\ntwo");
  EXPECT_EQ(read_file(folder.path() / "a"), "one\ntwo");
  EXPECT_EQ(MappedFile::open((folder.path() / "a").string())->size(), 7U);
}

// Pages of this process that hold some of `bytes` now.
std::size_t resident_pages(std::span<const std::byte> bytes) {
  std::ifstream map("/proc/self/smaps");
  const auto address = fmt::format("{:x}-", reinterpret_cast<std::uintptr_t>(bytes.data()));
  std::size_t kilobytes = 0;
  for (std::string line; std::getline(map, line);) {
    if (!line.starts_with(address)) continue;
    while (std::getline(map, line) && !line.starts_with("Rss:")) {
    }
    std::istringstream(line.substr(4)) >> kilobytes;
  }
  return kilobytes * 1024 / static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(MappedFile, DropsPagesAndReadsThemAgain) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a", std::string(1 << 20, 'x'));
  const auto file = MappedFile::open((folder.path() / "a").string());
  const auto count = [&] {
    return std::count(file->bytes().begin(), file->bytes().end(), std::byte{'x'});
  };
  ASSERT_EQ(count(), 1 << 20);
  EXPECT_GT(resident_pages(file->bytes()), 1U);
  file->drop_pages(file->bytes().subspan(1, (1 << 20) - 1));  // all but the first page
  EXPECT_EQ(resident_pages(file->bytes()), 1U);
  EXPECT_EQ(count(), 1 << 20);
}

TEST(MappedFile, LeavesMemoryOutsideOfItAlone) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a", std::string(1 << 16, 'x'));
  const auto file = MappedFile::open((folder.path() / "a").string());
  const std::vector<std::byte> other(1 << 16, std::byte{'y'});
  file->drop_pages(other);
  EXPECT_EQ(std::count(other.begin(), other.end(), std::byte{'y'}), 1 << 16);
}

TEST(Files, LeavesTheOldFileWhenWritingFails) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a", "old");
  EXPECT_THROW(write_file(folder.path() / "a",
                          [](std::ostream& stream) {
                            stream << "half";
                            throw InputError("stop");
                          }),
               InputError);
  EXPECT_EQ(read_file(folder.path() / "a"), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Files, RefusesAPathThatIsNoFolder) { EXPECT_THROW(write_file("/dev/full/x", "x"), IoError); }

TEST(Files, SaysWhatIsMissingOrInTheWay) {
  const TemporaryFolder folder;
  write_file(folder.path() / "file", "x");
  EXPECT_THROW(read_file(folder.path() / "none"), IoError);
  EXPECT_THROW(read_file(folder.path()), IoError);
  EXPECT_THROW(make_folder(folder.path() / "file" / "sub"), IoError);
  EXPECT_THROW(MappedFile::open(folder.path().string()), IoError);
  EXPECT_THROW(read_file(folder.path() / "file", 0), IoError);
  EXPECT_EQ(read_file_if_present(folder.path() / "none"), std::nullopt);
}

}  // namespace
}  // namespace aurum

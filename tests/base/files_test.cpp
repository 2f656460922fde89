#include "base/files.h"

#include <ostream>

#include <gtest/gtest.h>

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

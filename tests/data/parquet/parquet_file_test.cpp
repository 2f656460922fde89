#include "data/parquet/parquet_file.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "base/random_stream.h"
#include "tests/support/temporary_folder.h"

namespace aurum::data {
namespace {

using ::testing::HasSubstr;

// Made by tools/make_parquet_golden.py with pyarrow.
std::string golden(const std::string& name) {
  return std::string(AURUM_SOURCE_DIR) + "/tests/golden/data/" + name;
}

std::vector<OrderedJson> read(const std::string& path) {
  std::vector<OrderedJson> rows;
  read_rows(path, [&](OrderedJson row, const std::string&) {
    rows.push_back(std::move(row));
    return true;
  });
  return rows;
}

class ParquetKind : public testing::TestWithParam<const char*> {};

TEST_P(ParquetKind, GivesTheRowsThatPyarrowWrote) {
  const auto expected = read(golden("rows.jsonl"));
  const auto rows = read(golden(std::string(GetParam()) + ".parquet"));
  ASSERT_EQ(rows.size(), expected.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(nlohmann::json(rows[i]), nlohmann::json(expected[i])) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ParquetKind,
                         testing::Values("plain", "snappy", "gzip", "zstd_v2", "snappy_v2_plain"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST(ParquetFile, NamesTheRow) {
  std::string last;
  read_rows(golden("snappy.parquet"), [&](const OrderedJson&, const std::string& source) {
    last = source.substr(source.rfind('/') + 1);
    return last != "snappy.parquet: row 20";
  });
  EXPECT_EQ(last, "snappy.parquet: row 20");
}

TEST(ParquetFile, NamesACodecThatIsNotThere) {
  try {
    read(golden("brotli.parquet"));
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("there are none, snappy, gzip and zstd"));
  }
}

class DamagedParquet : public testing::TestWithParam<const char*> {
 protected:
  // Reads damaged bytes; they may give wrong rows, but only a FormatError may stop it.
  void read_bytes(const std::string& bytes) const {
    const std::string path = (folder_.path() / "x.parquet").string();
    std::ofstream(path, std::ios::binary) << bytes;  // unlike write_file(), without a sync
    try {
      read(path);
    } catch (const FormatError&) {
    }
  }
  testing_support::TemporaryFolder folder_;
};

TEST_P(DamagedParquet, NeverDoesWorseThanAnError) {
  const std::string whole = read_file(golden(std::string(GetParam()) + ".parquet"));
  for (std::size_t size = 0; size < whole.size(); size += whole.size() / 40 + 1) {
    read_bytes(whole.substr(0, size));
  }
  RandomStream stream(1, "damage");
  for (int i = 0; i < 150; ++i) {
    std::string damaged = whole;
    for (int k = 0; k < 3; ++k) {
      // The footer holds the lengths; damage it more often.
      const std::size_t from =
          k == 0 ? 0 : whole.size() - std::min<std::size_t>(whole.size(), 1500);
      damaged[from + stream.uniform_below(whole.size() - from)] =
          static_cast<char>(stream.next_u32());
    }
    read_bytes(damaged);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, DamagedParquet, testing::Values("snappy", "zstd_v2", "gzip"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace aurum::data

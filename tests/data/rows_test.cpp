#include "data/rows.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/support/temporary_folder.h"

namespace aurum::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string gzip(const std::string& text) {
  z_stream state{};
  ::deflateInit2(&state, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(::compressBound(text.size()) + 64, '\0');
  state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  state.avail_in = static_cast<uInt>(text.size());
  state.next_out = reinterpret_cast<Bytef*>(out.data());
  state.avail_out = static_cast<uInt>(out.size());
  ::deflate(&state, Z_FINISH);
  out.resize(state.total_out);
  ::deflateEnd(&state);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

class Rows : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& content) const {
    write_file(folder_.path() / name, content);
    return (folder_.path() / name).string();
  }
  // "<line>:<value of a>" of every row.
  static std::vector<std::string> read(const std::string& path) {
    std::vector<std::string> out;
    read_rows(path, [&](const OrderedJson& row, const std::string& source) {
      const std::string value = row.contains("a") ? row["a"].dump() : "";
      out.push_back(source.substr(source.rfind(':') + 1) + ":" + value);
      return true;
    });
    return out;
  }
  std::string error_of(const std::string& name, const std::string& content) const {
    try {
      read(write(name, content));
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  testing_support::TemporaryFolder folder_;
};

TEST_F(Rows, ReadsLinesAndKeepsTheirNumbers) {
  const auto expected = ElementsAre("1:1", "3:2", "4:\"ü\"");
  const std::string text = "\xEF\xBB\xBF{\"a\": 1}\r\n\n{\"a\": 2}\n{\"a\": \"ü\"}";
  EXPECT_THAT(read(write("x.jsonl", text)), expected);
  EXPECT_THAT(read(write("x.json", text)), expected);
  EXPECT_THAT(read(write("x.jsonl.gz", gzip(text))), expected);
  EXPECT_THAT(read(write("x.jsonl.zst", zstd(text))), expected);
  EXPECT_THAT(read(write("no_suffix.jsonl", zstd(text))), expected);
}

TEST_F(Rows, ReadsArraysWhateverTheirLayout) {
  EXPECT_THAT(read(write("x.json", " [ {\"a\": \"]}\\\"\"},\n\n{\n\"a\": [1, {}]} ]\n")),
              ElementsAre("1:\"]}\\\"\"", "3:[1,{}]"));
  EXPECT_THAT(read(write("empty.json", "[]")), ElementsAre());
  EXPECT_THAT(read(write("x.json.gz", gzip("[{\"a\": 1}, {\"a\": 2}]"))),
              ElementsAre("1:1", "1:2"));
}

TEST_F(Rows, ReadsSeveralMembersAsOneContent) {
  EXPECT_THAT(read(write("x.jsonl.gz", gzip("{\"a\": 1}\n") + gzip("{\"a\": 2}\n"))),
              ElementsAre("1:1", "2:2"));
  EXPECT_THAT(read(write("x.jsonl.zst", zstd("{\"a\": 1}\n") + zstd("{\"a\": 2}\n"))),
              ElementsAre("1:1", "2:2"));
}

TEST_F(Rows, ReadsContentLargerThanItsBuffers) {
  std::string text;
  for (int i = 0; i < 30000; ++i) text += fmt::format("{{\"a\": {}, \"b\": \"{:030d}\"}}\n", i, i);
  for (const auto& path : {write("x.jsonl", text), write("x.jsonl.gz", gzip(text)),
                           write("y.jsonl.zst", zstd(text))}) {
    const auto rows = read(path);
    ASSERT_EQ(rows.size(), 30000U) << path;
    EXPECT_EQ(rows.back(), "30000:29999");
  }
}

TEST_F(Rows, StopsWhenTheSinkHasEnough) {
  int count = 0;
  read_rows(write("x.jsonl", "{}\n{}\n{broken\n"),
            [&](const OrderedJson&, const std::string&) { return ++count < 2; });
  EXPECT_EQ(count, 2);
}

TEST_F(Rows, NamesFileAndLineOfABrokenRow) {
  EXPECT_THAT(error_of("x.jsonl", "{}\n\n{broken\n"),
              HasSubstr("x.jsonl:3: this line is not JSON"));
  EXPECT_THAT(error_of("x.jsonl", "{}\n3\n"), HasSubstr("x.jsonl:2: a row must be a JSON object"));
  EXPECT_THAT(error_of("x.json", "[{},\n{]}]"), HasSubstr("x.json:2"));
  EXPECT_THAT(error_of("x.json", "[{}\n{}]"), HasSubstr("x.json"));
  EXPECT_THAT(error_of("x.json", "[{},\n{}"), HasSubstr("the array is not closed"));
  EXPECT_THAT(error_of("x.json", "[{}] x"), HasSubstr("behind the closing"));
}

TEST_F(Rows, RefusesDamagedCompression) {
  const std::string text(5000, ' ');
  for (const std::string& whole : {gzip(text + "{}"), zstd(text + "{}")}) {
    EXPECT_THAT(error_of("x.jsonl.gz", whole.substr(0, whole.size() - 6)),
                HasSubstr("ends too early"));
    std::string damaged = whole;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x55);
    EXPECT_NE(error_of("x.jsonl.gz", damaged), "no error");
  }
}

}  // namespace
}  // namespace aurum::data

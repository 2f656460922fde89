#include "weights/gguf.h"

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/support/temporary_folder.h"
#include "tests/weights/gguf_builder.h"

namespace aurum::weights {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_support::GgufBuilder;
using testing_support::TemporaryFolder;

GgufBuilder sample() {
  GgufBuilder builder;
  builder.text("general.architecture", "llama")
      .u32("count", 7)
      .f32("ratio", 0.5F)
      .flag("yes", true)
      .texts("words", {"a", "", "bcd"})
      .i32s("ids", {1, -2})
      .f32s("scores", {0.25F})
      .floats("w", {2, 3}, {1, 2, 3, 4, 5, 6})
      .tensor("unknown", {4}, 40, "xx");
  return builder;
}

std::string message_of_opening(const std::string& content) {
  TemporaryFolder folder;
  const auto path = folder.path() / "m.gguf";
  std::ofstream(path, std::ios::binary) << content;  // not synced: there are hundreds
  try {
    GgufFile::open(path.string());
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr(path.string()));
    return error.what();
  }
  return "no error";
}

TEST(Gguf, ReadsMetadataByType) {
  TemporaryFolder folder;
  const auto file = GgufFile::open(sample().write(folder.path() / "m.gguf"));
  EXPECT_EQ(file->string("general.architecture"), "llama");
  EXPECT_EQ(file->integer("count"), 7);
  EXPECT_EQ(file->number("count"), 7.0);
  EXPECT_EQ(file->number("ratio"), 0.5);
  EXPECT_EQ(file->boolean("yes"), true);
  EXPECT_THAT(*file->strings("words"), ElementsAre("a", "", "bcd"));
  EXPECT_THAT(*file->integers("ids"), ElementsAre(1, -2));
  EXPECT_THAT(*file->floats("scores"), ElementsAre(0.25F));
  EXPECT_EQ(file->string("absent"), std::nullopt);
  EXPECT_THROW(file->string("count"), FormatError);
  EXPECT_THROW(file->integer("ratio"), FormatError);
  EXPECT_THROW(file->strings("ids"), FormatError);
}

TEST(Gguf, DimensionsAreTurnedRoundAndUnknownTypesKeepTheirName) {
  TemporaryFolder folder;
  const auto file = GgufFile::open(sample().write(folder.path() / "m.gguf"));
  const GgufTensor* tensor = file->find_tensor("w");
  ASSERT_NE(tensor, nullptr);
  EXPECT_THAT(tensor->shape, ElementsAre(2, 3));
  float last = 0;
  std::memcpy(&last, tensor->bytes.data() + 20, sizeof last);
  EXPECT_EQ(last, 6.0F);
  EXPECT_EQ(file->find_tensor("unknown")->type_name, "NVFP4");
  EXPECT_FALSE(file->find_tensor("unknown")->dtype.has_value());
}

TEST(Gguf, EveryTruncationIsAnErrorThatSaysSo) {
  const std::string whole =
      GgufBuilder().texts("words", {"a", "b"}).floats("w", {8}, {1, 2, 3, 4, 5, 6, 7, 8}).build();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(message_of_opening(whole.substr(0, size)), "no error") << size;
  }
  EXPECT_THAT(message_of_opening(whole.substr(0, whole.size() - 1)),
              HasSubstr("truncated: the file has " + std::to_string(whole.size() - 1) + " bytes, " +
                        std::to_string(whole.size()) + " are expected"));
}

TEST(Gguf, DamagedBytesNeverCrash) {
  const std::string whole = sample().build();
  for (std::size_t at = 4; at < whole.size() - 96; ++at) {
    std::string damaged = whole;
    damaged[at] = '\xFF';
    message_of_opening(damaged);
  }
}

TEST(Gguf, RefusesSizesThatCannotBe) {
  EXPECT_THAT(
      message_of_opening(GgufBuilder().tensor("w", {1ULL << 40, 1ULL << 40}, 0, "").build()),
      HasSubstr("shape"));
  EXPECT_THAT(message_of_opening(GgufBuilder().tensor("w", {33}, 2, "").build()),
              HasSubstr("whole blocks"));
  EXPECT_THAT(message_of_opening(GgufBuilder().u32("k", 1).u32("k", 2).build()),
              HasSubstr("repeated"));
  EXPECT_THAT(message_of_opening(GgufBuilder().u32("general.alignment", 24).build()),
              HasSubstr("power of two"));
  std::string swapped = sample().build();
  std::swap(swapped[4], swapped[7]);
  EXPECT_THAT(message_of_opening(swapped), HasSubstr("big-endian"));
}

TEST(Gguf, RefusesTensorsThatShareBytes) {
  EXPECT_THAT(message_of_opening(GgufBuilder()
                                     .floats("a", {16}, std::vector<float>(8))
                                     .floats("b", {8}, std::vector<float>(8))
                                     .build()),
              HasSubstr("tensor b at byte"));
}

class SplitGguf : public ::testing::Test {
 protected:
  static GgufBuilder part(std::uint32_t number, std::uint32_t count, std::uint32_t tensors) {
    return GgufBuilder()
        .u32("split.no", number)
        .u32("split.count", count)
        .u32("split.tensors.count", tensors);
  }
  std::string path(int number) const {
    return (folder_.path() / fmt::format("m-{:05}-of-00002.gguf", number)).string();
  }
  void write(int number, const GgufBuilder& builder) const { builder.write(path(number)); }
  std::string message() const {
    try {
      GgufFile::open(path(1));
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
};

TEST_F(SplitGguf, AnyPartOpensTheWhole) {
  write(1, part(0, 2, 2).text("general.name", "n").floats("a", {1}, {1}));
  write(2, part(1, 2, 2).floats("b", {1}, {2}));
  for (const int number : {1, 2}) {
    const auto file = GgufFile::open(path(number));
    EXPECT_EQ(file->string("general.name"), "n");
    float value = 0;
    ASSERT_NE(file->find_tensor("b"), nullptr);
    std::memcpy(&value, file->find_tensor("b")->bytes.data(), sizeof value);
    EXPECT_EQ(value, 2.0F);
  }
}

TEST_F(SplitGguf, RefusesPartsThatDoNotBelongTogether) {
  write(1, part(0, 2, 2).floats("a", {1}, {1}));
  EXPECT_THAT(message(), HasSubstr("m-00002-of-00002.gguf"));
  write(2, part(1, 2, 2).floats("a", {1}, {2}));
  EXPECT_THAT(message(), HasSubstr("in another part"));
  write(2, part(0, 2, 2).floats("b", {1}, {2}));
  EXPECT_THAT(message(), HasSubstr("part 2 of 2"));
  write(2, part(1, 2, 2));
  EXPECT_THAT(message(), HasSubstr("hold 1 tensors"));
  const auto elsewhere = folder_.path() / "renamed.gguf";
  part(0, 2, 2).write(elsewhere);
  EXPECT_THROW(GgufFile::open(elsewhere.string()), InputError);
}

}  // namespace
}  // namespace aurum::weights

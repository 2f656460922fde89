#include "weights/gguf.h"

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

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
      .tensor("unknown", {4}, 39, "xx");
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
  EXPECT_EQ(file->find_tensor("unknown")->type_name, "MXFP4");
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

}  // namespace
}  // namespace aurum::weights

#include "config/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"

namespace aurum::config {
namespace {

using ::testing::HasSubstr;

TEST(Reference, DocumentIsUpToDate) {
  EXPECT_EQ(read_file(std::string(AURUM_SOURCE_DIR) + "/docs/config.md"), reference_markdown())
      << "run: build/aurum config docs > docs/config.md";
}

TEST(Reference, HelpNamesActingKeysWithRangeAndDefault) {
  const std::string help = acting_keys_help();
  EXPECT_THAT(help, HasSubstr("training.gold.beta\n"));
  EXPECT_THAT(help, HasSubstr("[a number in [0, 1]; default 0.5]"));
  EXPECT_THAT(help, ::testing::Not(HasSubstr("training.grpo")));
}

}  // namespace
}  // namespace aurum::config

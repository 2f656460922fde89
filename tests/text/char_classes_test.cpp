#include "text/unicode/char_classes.h"

#include <functional>

#include <gtest/gtest.h>

namespace aurum::text {
namespace {

int count(const std::function<bool(char32_t)>& test) {
  int result = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c < 0xD800 || c > 0xDFFF) result += test(c) ? 1 : 0;
  }
  return result;
}

// The sets were compared with Hugging Face's one character at a time; their sizes pin them down.
TEST(CharClasses, HoldAsManyCharactersAsHuggingFaces) {
  EXPECT_EQ(count(is_white_space), 25);
  EXPECT_EQ(count(is_word_char), 144667);
  EXPECT_EQ(count(is_numeric), 1924);
  EXPECT_EQ(count(is_punctuation), 726);
  EXPECT_EQ(count(is_mark), 2097);
  EXPECT_EQ(count(is_nonspacing_mark), 1567);
  EXPECT_EQ(count(is_control), 137683);
}

TEST(CharClasses, FollowTheTablesOfTheirTime) {
  EXPECT_TRUE(is_punctuation('$'));
  EXPECT_FALSE(is_punctuation(0x2E43));       // Unicode 9, too new
  EXPECT_FALSE(is_white_space(0x180E));       // no blank since Unicode 6.3
  EXPECT_EQ(char_classes(0x1FAE9), kSymbol);  // Unicode 16
  EXPECT_EQ(char_classes(0x10D50) & kWordStart, kWordStart);
}

TEST(CharClasses, LowerAsRust) {
  EXPECT_EQ(to_lower(U'Σ'), U'σ');
  EXPECT_EQ(to_lower(0xA7DC), 0x19Bu);
  EXPECT_EQ(to_lower(0x16EA0), 0x16EBBu);
  EXPECT_EQ(to_lower(U'ß'), U'ß');
}

}  // namespace
}  // namespace aurum::text

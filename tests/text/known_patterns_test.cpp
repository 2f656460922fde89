#include "text/tokenizer/known_patterns.h"

#include <random>

#include <gtest/gtest.h>

#include "text/tokenizer/regex.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

constexpr std::string_view kAll[] = {kGpt2Pattern,     kLlama3Pattern, kQwen2Pattern,
                                     kQwen35Pattern,   kGpt4oPattern,  kTekkenPattern,
                                     kDeepseekNumbers, kDeepseekCjk,   kDeepseekWords};

// Characters that patterns tell apart, all older than the pattern engine's tables.
std::string random_text(std::mt19937& random) {
  constexpr std::u32string_view kCharacters =
      U"aBzſK'stdmlvreLVE.,!/$+-_ \t\n\r\u00A0\u3000\u0085\u180E\u200B12²Ⅷ٣ǅʰªßéÉ日本ーカㄅ가ا"
      U"\u0301\u093F\u20DD\U0001F9D1\U0001D400\u0345€°©\u0000\u007F";
  std::uniform_int_distribution<std::size_t> pick(0, kCharacters.size() - 1), length(0, 24);
  std::string text;
  for (std::size_t i = length(random); i > 0; --i)
    append_code_point(kCharacters[pick(random)], text);
  return text;
}

std::vector<std::string> matches_of(KnownMatcher matcher, std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t p = 0; p < text.size();) {
    const std::size_t end = matcher(text, p);
    if (end > p) out.emplace_back(text.substr(p, end - p));
    p = end > p ? end : p + utf8_length(text[p]);
  }
  return out;
}

std::vector<std::string> matches_of(const Regex& regex, std::string_view text) {
  std::vector<std::string> out;
  RegexMatch match{};
  for (std::size_t p = 0; p < text.size() && regex.find(text, p, match); p = match.end) {
    out.emplace_back(text.substr(match.begin, match.end - match.begin));
  }
  return out;
}

TEST(KnownPatterns, MatchAsThePatternEngineDoes) {
  for (const std::string_view pattern : kAll) {
    const KnownMatcher matcher = find_known_matcher(pattern);
    ASSERT_NE(matcher, nullptr) << pattern;
    const Regex regex = Regex::from_oniguruma(pattern, "test");
    std::mt19937 random(1);
    for (int i = 0; i < 3000; ++i) {
      const std::string text = random_text(random);
      ASSERT_EQ(matches_of(matcher, text), matches_of(regex, text)) << pattern << "\n" << text;
    }
  }
}

TEST(KnownPatterns, KnowCategoriesThatTheEngineMayNot) {
  const KnownMatcher words = find_known_matcher(kDeepseekWords);
  EXPECT_EQ(words("\U0001FA75!", 0), 5u);  // a symbol since Unicode 15
  const KnownMatcher llama = find_known_matcher(kLlama3Pattern);
  EXPECT_EQ(llama("\u1C89\u1C8A ", 0), 6u);  // letters since Unicode 16
}

TEST(KnownPatterns, AreFoundWithLineBreaksWrittenOut) {
  std::string spelled(kLlama3Pattern);
  for (std::size_t at = spelled.find("\\r\\n"); at != std::string::npos;
       at = spelled.find("\\r\\n")) {
    spelled.replace(at, 4, "\r\n");
  }
  EXPECT_EQ(find_known_matcher(spelled), find_known_matcher(kLlama3Pattern));
  EXPECT_EQ(find_known_matcher("\\p{L}+"), nullptr);
}

}  // namespace
}  // namespace aurum::text

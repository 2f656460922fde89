#include "rollout/guided/byte_automaton.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random_stream.h"
#include "tests/rollout/guided/pcre2_match.h"
#include "text/unicode/utf8.h"

namespace aurum::rollout {
namespace {

using ::testing::HasSubstr;

bool matches(ByteAutomaton& automaton, const std::string& text) {
  ByteAutomaton::State state = automaton.start();
  for (const char byte : text) {
    state = automaton.next(state, static_cast<std::uint8_t>(byte));
    if (state == ByteAutomaton::kDead) return false;
  }
  return automaton.accepts(state);
}

std::string error_of(const std::string& pattern) {
  try {
    const ByteAutomaton automaton(pattern);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

// Random expressions over a small alphabet, with everything the syntax has.
class PatternMaker {
 public:
  explicit PatternMaker(std::uint64_t seed) : random_(seed, "pattern") {}

  std::string choice(int depth) {
    std::string text = sequence(depth);
    while (pick(4) == 0) {
      text += '|';
      text += sequence(depth);
    }
    return text;
  }

 private:
  std::uint64_t pick(std::uint64_t bound) { return random_.uniform_below(bound); }

  std::string sequence(int depth) {
    std::string text;
    for (std::uint64_t i = pick(4); i > 0; --i) {
      text += item(depth);
      text += quantifier();
    }
    return text;
  }
  std::string quantifier() {
    const char* quantifiers[] = {"", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "{1,3}?"};
    return quantifiers[pick(std::size(quantifiers))];
  }
  std::string item(int depth) {
    const char* items[] = {
        "a",         "b",         "\xC3\xA4", ".",     "[ab]",
        "[^a]",      "\\d",       "\\w",      "[a-z]", "\\S",
        "\\x61",     "[^\\W]",    "\\.",      "\\n",   "[\xC3\xA0-\xF0\x9F\x98\x80]",
        "\\x{20AC}", "[\\]\\-b]", "1"};
    if (depth > 0 && pick(4) == 0) {
      std::string group = pick(2) == 0 ? "(" : "(?:";
      group += choice(depth - 1);
      group += ')';
      return group;
    }
    return items[pick(std::size(items))];
  }

  RandomStream random_;
};

std::string random_text(RandomStream& random) {
  const char* letters[] = {"a", "b", "1", "\n", ".", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                           "-", "]", " "};
  std::string text;
  for (std::uint64_t i = random.uniform_below(6); i > 0; --i) {
    text += letters[random.uniform_below(std::size(letters))];
  }
  return text;
}

TEST(ByteAutomaton, AgreesWithPcre2) {
  int num_matches = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const std::string pattern = PatternMaker(seed).choice(2);
    ByteAutomaton automaton(pattern);
    RandomStream random(seed, "text");
    for (int i = 0; i < 20; ++i) {
      const std::string text = random_text(random);
      const bool expected = pcre2_matches(pattern, text);
      num_matches += expected ? 1 : 0;
      ASSERT_EQ(matches(automaton, text), expected) << pattern << " on " << text;
    }
  }
  EXPECT_GT(num_matches, 2000);
}

// Every code point, in and out of sets that begin and end at awkward places.
TEST(ByteAutomaton, CutsSetsAtTheRightCharacters) {
  const std::pair<const char*, std::pair<char32_t, char32_t>> sets[] = {
      {"[\\x{7F}-\\x{80}]", {0x7F, 0x80}},
      {"[\\x{7FF}-\\x{801}]", {0x7FF, 0x801}},
      {"[\\x{ABC}-\\x{12345}]", {0xABC, 0x12345}},
      {"[\\x{FFFF}-\\x{10FFFF}]", {0xFFFF, 0x10FFFF}}};
  for (const auto& [pattern, range] : sets) {
    ByteAutomaton automaton(pattern);
    for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x13000 ? 1 : 97) {
      if (c >= 0xD800 && c <= 0xDFFF) continue;
      std::string text;
      text::append_code_point(c, text);
      ASSERT_EQ(matches(automaton, text), c >= range.first && c <= range.second)
          << pattern << " at " << static_cast<std::uint32_t>(c);
    }
  }
}

TEST(ByteAutomaton, AnchorsHoldAtTheEndsOnly) {
  const std::pair<const char*, std::string> cases[] = {
      {"^a$", "a"}, {"(^a|b)$", "b"}, {"\\Aa\\z", "a"}, {"a?$", ""}, {"(a$|ab)", "ab"}};
  for (const auto& [pattern, text] : cases) {
    ByteAutomaton automaton(pattern);
    EXPECT_TRUE(matches(automaton, text)) << pattern;
  }
  ByteAutomaton optional("(a^)?b");
  EXPECT_TRUE(matches(optional, "b"));
  EXPECT_FALSE(matches(optional, "ab"));
  EXPECT_EQ(optional.next(optional.start(), 'a'), ByteAutomaton::kDead);
}

TEST(ByteAutomaton, HasNoStateWithoutAWayToAMatch) {
  ByteAutomaton automaton("a[^\\s\\S]|ab|a\xC3\xA4");
  const auto a = automaton.next(automaton.start(), 'a');
  EXPECT_NE(automaton.next(a, 'b'), ByteAutomaton::kDead);
  EXPECT_NE(automaton.next(a, 0xC3), ByteAutomaton::kDead);
  EXPECT_EQ(automaton.next(a, 'x'), ByteAutomaton::kDead);
}

TEST(ByteAutomaton, RefusesInOneSentence) {
  const std::pair<std::string, const char*> cases[] = {
      {"(a", "at 0: this ( is not closed"},
      {"a)", "at 1: this ) closes nothing"},
      {"[a", "at 0: this [ is not closed"},
      {"*a", "at 0: there is nothing to repeat"},
      {"a**", "a quantifier follows a quantifier"},
      {"a++", "possessive"},
      {"a{3,2}", "{3,2} ends below its begin"},
      {"[b-a]", "a range ends below its begin"},
      {"a\\", "a backslash stands at the end"},
      {"(a)\\1", "\\1 is not supported"},
      {"\\bword", "\\b is not supported"},
      {"(?=a)", "lookaround"},
      {"(?<=a)", "lookaround"},
      {"(?", "lookaround"},
      {"(?<", "lookaround"},
      {"(?i)a", "flags"},
      {"(?<>a)", "a group's name"},
      {"(?P<1>a)", "a group's name"},
      {"(?<a b(c>d)", "a group's name"},
      {"\\01", "octal"},
      {"[\\07]", "octal"},
      {"\\x{110000}", "there is no such character"},
      {"[[:alpha:]]", "[:names:]"},
      {"[^\\s\\S]", "matches no text at all"},
      {"a$b", "matches no text at all"},
      {"\xFF", "is not valid UTF-8"},
      {"a{1001}", "more than 1000 repetitions"},
      {"(a{1000}){1000}", "is too large"},
      {"((((){1000}){1000}){1000}){1000}", "is too large"},
      {std::string(10'001, 'a'), "more than the limit of 10000"},
      {std::string(300, '(') + std::string(300, ')'), "nested groups"}};
  for (const auto& [pattern, message] : cases) {
    EXPECT_THAT(error_of(pattern), HasSubstr(message)) << pattern.substr(0, 40);
  }
}

TEST(ByteAutomaton, StopsWhenItsStatesExplode) {
  ByteAutomaton automaton("[ab]*a[ab]{18}");
  RandomStream random(1, "walk");
  const auto walk = [&] {
    ByteAutomaton::State state = automaton.start();
    for (int i = 0; i < 300'000; ++i) {
      state = automaton.next(state, random.uniform_below(2) == 0 ? 'a' : 'b');
    }
  };
  EXPECT_THROW(walk(), InputError);
}

TEST(ByteAutomaton, StopsWhenItsStatesGrowLarge) {
  ByteAutomaton automaton("[ab]*a([ab]{1000}){20}");
  RandomStream random(1, "walk");
  const auto walk = [&] {
    ByteAutomaton::State state = automaton.start();
    for (int i = 0; i < 6'000; ++i) {
      state = automaton.next(state, random.uniform_below(2) == 0 ? 'a' : 'b');
    }
  };
  EXPECT_THROW(walk(), InputError);
}

}  // namespace
}  // namespace aurum::rollout

#include "text/tokenizer/tokenizer.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "text/tokenizer/pre_tokenizer.h"
#include "text/tokenizer/regex.h"
#include "text/unicode/normalization.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Spans = std::vector<ByteSpan>;

class TokenizerTest : public ::testing::Test {
 protected:
  TokenizerTest() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::temp_directory_path() / fmt::format("aurum-tokenizer-{}-{}", info->name(), ::getpid());
    fs::create_directories(folder_);
  }
  ~TokenizerTest() override { fs::remove_all(folder_); }

  void write(const std::string& name, const Json& json) const {
    std::ofstream(folder_ / name) << json.dump();
  }
  std::shared_ptr<const Tokenizer> load(const Json& json) const {
    write("tokenizer.json", json);
    return load_tokenizer(folder_);
  }
  std::vector<std::string> pieces(const Tokenizer& tokenizer, std::string_view text) const {
    std::vector<std::string> out;
    for (const TokenId id : tokenizer.encode(text, false).ids) out.push_back(tokenizer.piece(id));
    return out;
  }

  fs::path folder_;
};

// A tokenizer over characters: ids in the order given.
Json char_bpe(const std::vector<std::string>& tokens, const std::vector<std::string>& merges) {
  Json vocabulary = Json::object();
  for (const std::string& token : tokens) vocabulary[token] = vocabulary.size();
  return {{"version", "1.0"},
          {"added_tokens", Json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"decoder", {{"type", "Fuse"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}}}};
}

Json added(const std::string& content, const std::vector<std::string>& flags) {
  Json token = {{"id", 0},         {"content", content},  {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", false}};
  for (const std::string& flag : flags) token[flag] = true;
  return token;
}

// All 256 bytes in GPT-2's alphabet, then some merges.
GgufVocabulary byte_vocabulary() {
  GgufVocabulary v;
  v.source = "test.gguf";
  v.model = "gpt2";
  v.pre = "qwen2";
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool same =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    std::string token;
    append_code_point(same ? byte : next++, token);
    v.tokens.push_back(token);
  }
  for (const char* token : {"he", "ll", "hell", "hello", "Ġhello", "Ã©", "ðŁ"})
    v.tokens.push_back(token);
  v.merges = {"h e", "l l", "he ll", "hell o", "Ġ hello", "Ã ©", "ð Ł"};
  v.token_types.assign(v.tokens.size(), 1);
  v.tokens.insert(v.tokens.end(), {"<|end|>", "<think>", "[PAD0]"});
  v.token_types.insert(v.token_types.end(), {3, 4, 5});
  v.eos = 263;
  return v;
}

TEST_F(TokenizerTest, MergesBytesAndGivesExactSpans) {
  const auto tokenizer = make_tokenizer(byte_vocabulary());
  EXPECT_THAT(pieces(*tokenizer, "hello hello7"), ElementsAre("hello", "Ġhello", "7"));
  const Encoding emoji = tokenizer->encode("a\U0001F9D1", false);
  EXPECT_EQ(emoji.spans, (Spans{{0, 1}, {1, 3}, {3, 4}, {4, 5}}));
}

TEST_F(TokenizerTest, ComposesAndTilesTheOriginalBytes) {
  const auto tokenizer = make_tokenizer(byte_vocabulary());
  const Encoding encoding = tokenizer->encode("e\xCC\x81x", false);  // NFC: two bytes of three
  EXPECT_EQ(tokenizer->piece(encoding.ids[0]), "Ã©");
  EXPECT_EQ(encoding.spans, (Spans{{0, 3}, {3, 4}}));
}

TEST_F(TokenizerTest, ReadsGgufTokenTypes) {
  const auto tokenizer = make_tokenizer(byte_vocabulary());
  EXPECT_EQ(tokenizer->vocab_size(), 265);
  EXPECT_TRUE(tokenizer->is_special(263));
  EXPECT_FALSE(tokenizer->is_special(264));
  EXPECT_EQ(tokenizer->encode("<think><|end|>", false).ids, (std::vector<TokenId>{264, 263}));
  EXPECT_THAT(tokenizer->special_tokens().end_of_turn, ElementsAre(263));
  EXPECT_EQ(tokenizer->piece(265), "");
}

TEST_F(TokenizerTest, DecodesLossilyWithSpansOfTheText) {
  const auto tokenizer = make_tokenizer(byte_vocabulary());
  const std::vector<TokenId> ids = {262, 'h' - '!' + 33, 263};  // F0 9F, then what is not a tail
  const DecodedSpans decoded = tokenizer->spans_of_ids(ids);
  EXPECT_EQ(decoded.text, "\xEF\xBF\xBDh");
  EXPECT_EQ(decoded.spans, (Spans{{0, 3}, {3, 4}, {4, 4}}));
  EXPECT_EQ(tokenizer->decode(ids, false), "\xEF\xBF\xBDh<|end|>");
  EXPECT_EQ(tokenizer->decode(ids, true), "\xEF\xBF\xBDh");
}

TEST_F(TokenizerTest, StreamsWholeCharacters) {
  const auto tokenizer = make_tokenizer(byte_vocabulary());
  const auto stream = tokenizer->make_stream_decoder(true);
  std::string seen;
  for (const TokenId id : tokenizer->encode("\xC3\xBC\U0001F9D1", false).ids) {
    const std::string text = stream->push(id);
    EXPECT_TRUE(is_valid_utf8(text));
    seen += text;
  }
  EXPECT_EQ(seen, "\xC3\xBC\U0001F9D1");
  EXPECT_EQ(stream->push(262), "");
  EXPECT_EQ(stream->finish(), "\xEF\xBF\xBD");
}

TEST_F(TokenizerTest, RefusesTextThatIsNotUtf8) {
  const auto tokenizer = make_tokenizer(byte_vocabulary());
  try {
    tokenizer->encode("ab\xFF", false);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("byte 2"));
  }
}

TEST_F(TokenizerTest, SavesWhatItReadFromGguf) {
  const auto original = make_tokenizer(byte_vocabulary());
  save_tokenizer(*original, folder_ / "out");
  const auto copy = load_tokenizer(folder_ / "out");
  const std::string text = "hello <think>e\xCC\x81 \U0001F9D1<|end|>12";
  EXPECT_EQ(copy->encode(text, true).ids, original->encode(text, true).ids);
  EXPECT_EQ(copy->fingerprint(), original->fingerprint());
  EXPECT_EQ(copy->special_tokens().eos, 263);
}

TEST_F(TokenizerTest, MergesLongAndShortPiecesAlike) {
  const auto tokenizer =
      load(char_bpe({"a", "b", "c", "ab", "abab", "ca"}, {"a b", "ab ab", "c a"}));
  std::vector<std::string> expected;
  std::string text;
  for (int i = 0; i < 50; ++i) {
    text += "ababc";
    expected.insert(expected.end(), {"abab", "c"});
  }
  EXPECT_EQ(pieces(*tokenizer, text), expected);
  EXPECT_THAT(pieces(*tokenizer, "ababc"), ElementsAre("abab", "c"));
}

// A merge that looked at all pairs for each step would take hours for these.
TEST_F(TokenizerTest, TakesLongWordsWithoutQuadraticWork) {
  constexpr std::size_t kLength = 300'000;
  const auto tokenizer = load(char_bpe({"a", "b", "aa", "aaaa", "ab"}, {"a a", "aa aa", "a b"}));
  const std::string letters(kLength + 3, 'a');
  const Encoding encoding = tokenizer->encode(letters, false);
  ASSERT_EQ(encoding.ids.size(), kLength / 4 + 2);
  EXPECT_EQ(encoding.ids.front(), 3);
  EXPECT_EQ(encoding.spans.back().end, static_cast<std::int64_t>(letters.size()));
  std::string mixed;
  for (std::uint32_t i = 0, state = 1; i < kLength; ++i) {
    state = state * 1664525 + 1013904223;
    mixed += state >> 31 ? 'a' : 'b';
  }
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(mixed, false).ids, false), mixed);
}

TEST_F(TokenizerTest, TakesLongRunsOfBlanksWithoutQuadraticWork) {
  constexpr std::size_t kLength = 100'000;
  const auto tokenizer = make_tokenizer(byte_vocabulary());
  for (const char* blank : {"\n", " ", "\r\n", "\t"}) {
    std::string text;
    while (text.size() < kLength) text += blank;
    text += "x";
    const Encoding encoding = tokenizer->encode(text, false);
    EXPECT_EQ(encoding.ids.size(), text.size());
    EXPECT_EQ(encoding.spans.back().end, static_cast<std::int64_t>(text.size()));
  }
}

TEST_F(TokenizerTest, LaterDuplicateMergeWins) {
  const auto tokenizer = load(char_bpe({"a", "b", "c", "ab", "bc"}, {"a b", "b c", "a b"}));
  EXPECT_THAT(pieces(*tokenizer, "abc"), ElementsAre("a", "bc"));
}

TEST_F(TokenizerTest, UnknownCharactersAreDroppedFusedOrBytes) {
  Json json = char_bpe({"a", "b", "ab", "<unk>", "<0xC3>", "<0xA9>"}, {"a b"});
  EXPECT_THAT(pieces(*load(json), "a?b"), ElementsAre("ab"));  // dropped, and the rest merges
  EXPECT_EQ(load(json)->encode("a?b?", false).spans, (Spans{{0, 4}}));
  json["model"]["unk_token"] = "<unk>";
  EXPECT_THAT(pieces(*load(json), "a??"), ElementsAre("a", "<unk>", "<unk>"));
  json["model"]["fuse_unk"] = true;
  EXPECT_THAT(pieces(*load(json), "a??"), ElementsAre("a", "<unk>"));
  json["model"]["byte_fallback"] = true;
  EXPECT_THAT(pieces(*load(json), "\xC3\xA9"), ElementsAre("<0xC3>", "<0xA9>"));
}

TEST_F(TokenizerTest, IgnoreMergesTakesWholeTokens) {
  Json json = char_bpe({"a", "b", "ab", "aba"}, {"a b"});
  EXPECT_THAT(pieces(*load(json), "aba"), ElementsAre("ab", "a"));
  json["model"]["ignore_merges"] = true;
  EXPECT_THAT(pieces(*load(json), "aba"), ElementsAre("aba"));
}

TEST_F(TokenizerTest, AddedTokensMatchLeftmostLongest) {
  Json json = char_bpe({"a", "b", "c", "d", " ", "x"}, {});
  json["added_tokens"] = {added("ab", {}), added("abc", {}), added("bcd", {}),
                          added("<L>", {"lstrip", "rstrip"}), added("dd", {"single_word"})};
  const auto tokenizer = load(json);
  EXPECT_THAT(pieces(*tokenizer, "abcd"), ElementsAre("abc", "d"));
  EXPECT_THAT(pieces(*tokenizer, "a dd xdd"), ElementsAre("a", " ", "dd", " ", "x", "d", "d"));
  const Encoding encoding = tokenizer->encode("a  <L> b", false);
  EXPECT_EQ(encoding.spans, (Spans{{0, 1}, {1, 7}, {7, 8}}));
}

TEST_F(TokenizerTest, NormalizedAddedTokensMatchTheNormalizedText) {
  const std::string space = "\xE2\x96\x81";
  Json json = char_bpe({space, "H", "i", "<", "/", "s", ">", "t"}, {});
  json["normalizer"] = {
      {"type", "Sequence"},
      {"normalizers",
       {{{"type", "Prepend"}, {"prepend", space}},
        {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", space}}}}};
  // Not {token}: clang takes braces around one value for that value.
  json["added_tokens"] = Json::array({added("</s>", {"normalized", "special"})});
  const auto tokenizer = load(json);
  EXPECT_THAT(pieces(*tokenizer, "Hi</s>"), ElementsAre(space, "H", "i", "<", "/", "s", ">"));
  EXPECT_THAT(pieces(*tokenizer, "i </s>"), ElementsAre(space, "i", "</s>"));
  // The prepended character stands for no bytes.
  EXPECT_EQ(tokenizer->encode("i </s>", false).spans, (Spans{{0, 0}, {0, 1}, {1, 6}}));
}

TEST_F(TokenizerTest, PostProcessorAddsZeroWidthTokens) {
  Json json = char_bpe({"a", "<s>"}, {});
  json["added_tokens"] = {added("<s>", {"special"})};
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
        {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}}}};
  const Encoding encoding = load(json)->encode("a", true);
  EXPECT_EQ(encoding.ids, (std::vector<TokenId>{1, 0}));
  EXPECT_EQ(encoding.spans, (Spans{{0, 0}, {0, 1}}));
}

TEST_F(TokenizerTest, ByteFallbackSpoilsWholeRuns) {
  Json json = char_bpe({"<0x41>", "<0xE2>", "<0x80>", "a", "\xE2\x96\x81x"}, {});
  json["model"]["byte_fallback"] = true;
  json["decoder"] = {
      {"type", "Sequence"},
      {"decoders",
       {{{"type", "Replace"}, {"pattern", {{"String", "\xE2\x96\x81"}}}, {"content", " "}},
        {{"type", "ByteFallback"}},
        {{"type", "Fuse"}},
        {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
  const auto tokenizer = load(json);
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{0, 1, 2, 3}, false), bad + bad + bad + "a");
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{4, 4, 99}, false), "x x");
  const auto stream = tokenizer->make_stream_decoder(false);
  EXPECT_EQ(stream->push(4), "x");
  EXPECT_EQ(stream->push(0), "");  // its run may go on
  EXPECT_EQ(stream->push(4), "A x");
}

TEST_F(TokenizerTest, ReadsTheFilesBesideIt) {
  Json json = char_bpe({"a", "<s>", "</s>", "<end>"}, {});
  write("tokenizer_config.json", {{"bos_token", "<s>"},
                                  {"eos_token", {{"content", "</s>"}}},
                                  {"model_max_length", 512},
                                  {"chat_template", "old"}});
  write("generation_config.json", {{"eos_token_id", {2, 3}}});
  std::ofstream(folder_ / "chat_template.jinja") << "new";
  const auto tokenizer = load(json);
  EXPECT_EQ(tokenizer->special_tokens().bos, 1);
  EXPECT_THAT(tokenizer->special_tokens().end_of_turn, ElementsAre(2, 3));
  EXPECT_TRUE(tokenizer->is_special(2));
  const TemplateSource& source = tokenizer->chat_templates().at("default");
  EXPECT_EQ(source.text, "new");
  EXPECT_EQ(source.origin, (folder_ / "chat_template.jinja").string());
  EXPECT_EQ(tokenizer->model_max_length(), 512);
}

TEST_F(TokenizerTest, NamesThePlaceOfAMistake) {
  Json json = char_bpe({"a"}, {});
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "Nonsense"}}}}};
  try {
    load(json);
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/normalizer/normalizers/0"));
    EXPECT_THAT(error.what(), HasSubstr("Nonsense"));
  }
  EXPECT_THROW(load(char_bpe({"a"}, {"a b"})), FormatError);
  EXPECT_THROW(load_tokenizer(folder_ / "missing"), IoError);
}

std::vector<std::string> split(const Json& json, const std::string& text) {
  PreTokenized state{MappedText(text), {{0, text.size()}}, true};
  make_pre_tokenizer(json, {"test"})->apply(state);
  std::vector<std::string> out;
  for (const PieceRange piece : state.pieces) {
    out.emplace_back(state.text.text().substr(piece.begin, piece.end - piece.begin));
  }
  return out;
}

TEST(PreTokenizer, SplitBehaviors) {
  const auto run = [](const char* behavior, bool invert = false) {
    return split({{"type", "Split"},
                  {"pattern", {{"String", "-"}}},
                  {"behavior", behavior},
                  {"invert", invert}},
                 "the-final--countdown-");
  };
  EXPECT_THAT(run("Removed"), ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(run("Removed", true), ElementsAre("-", "-", "-", "-"));
  EXPECT_THAT(run("Isolated"), ElementsAre("the", "-", "final", "-", "-", "countdown", "-"));
  EXPECT_THAT(run("MergedWithPrevious"), ElementsAre("the-", "final-", "-", "countdown-"));
  EXPECT_THAT(run("MergedWithNext"), ElementsAre("the", "-final", "-", "-countdown", "-"));
  EXPECT_THAT(run("Contiguous"), ElementsAre("the", "-", "final", "--", "countdown", "-"));
}

TEST(PreTokenizer, DigitsMetaspaceAndPrefixSpace) {
  EXPECT_THAT(split({{"type", "Digits"}, {"individual_digits", true}}, "a12\xC2\xB2"),
              ElementsAre("a", "1", "2", "\xC2\xB2"));
  EXPECT_THAT(split({{"type", "Digits"}}, "a12b"), ElementsAre("a", "12", "b"));
  EXPECT_THAT(
      split({{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "always"}}, "a b"),
      ElementsAre("_a", "_b"));
  EXPECT_THAT(
      split({{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "never"}}, "a b"),
      ElementsAre("a", "_b"));
  const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
  EXPECT_THAT(
      split({{"type", "Sequence"}, {"pretokenizers", {digits, {{"type", "ByteLevel"}}}}}, "a12"),
      ElementsAre("Ġa", "Ġ1", "Ġ2"));
}

TEST(Regex, RewritesOniguruma) {
  EXPECT_EQ(rewrite_oniguruma(R"(\s+(?!\S)|[^\s\h])", "t"),
            R"(\p{wspace}+(?!\P{wspace})|[^\p{wspace}0-9a-fA-F])");
  EXPECT_EQ(rewrite_oniguruma(R"((ab){1,3}+\p{N}{2}+c)", "t"), R"((?:(ab){1,3})+(?:\p{N}{2})+c)");
  EXPECT_EQ(rewrite_oniguruma(R"((?m:.)(?i:a)\p{Han})", "t"), R"((?s:.)(?i:a)\p{sc:Han})");
  RegexMatch match{};
  EXPECT_TRUE(Regex::from_oniguruma(R"( ?[\p{P}\p{S}]+)", "t").find(" \U0001FA75!", 0, match));
  EXPECT_EQ(match.end, 6u);  // an emoji of Unicode 15 is a symbol
  EXPECT_THROW(rewrite_oniguruma("[a&&b]", "t"), FormatError);
  EXPECT_THROW(rewrite_oniguruma("(?s:.)", "t"), FormatError);
}

std::string normalized(const std::string& text, NormalizationForm form) {
  return std::string(normalize(MappedText(text), form).text());
}

TEST(Normalization, ComposesAndDecomposes) {
  EXPECT_EQ(normalized("e\u0301 \u212B", NormalizationForm::kNfc), "\u00E9 \u00C5");
  EXPECT_EQ(normalized("\u1100\u1161\u11A8", NormalizationForm::kNfc), "\uAC01");
  EXPECT_EQ(normalized("q\u0307\u0323", NormalizationForm::kNfc), "q\u0323\u0307");
  EXPECT_EQ(normalized("\u0958", NormalizationForm::kNfc), "\u0915\u093C");
  EXPECT_EQ(normalized("\u00E9", NormalizationForm::kNfd), "e\u0301");
  EXPECT_EQ(normalized("\u00BD\uFB01", NormalizationForm::kNfkc), "1\u20442fi");
}

TEST(Utf8, ReplacesMaximalSubparts) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(decode_lossily("\xE2\x80"), bad);
  EXPECT_EQ(decode_lossily("\xC0\xAF"), bad + bad);
  EXPECT_EQ(decode_lossily("\xED\xA0\x80"), bad + bad + bad);
  EXPECT_EQ(decode_lossily("a\xF0\x9F\xA7z"), "a" + bad + "z");
  EXPECT_EQ(complete_utf8_prefix("a\xF0\x9F"), 1u);
  EXPECT_EQ(complete_utf8_prefix("a\xC3\xA9"), 3u);
}

}  // namespace
}  // namespace aurum::text

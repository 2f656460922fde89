// Small tokenizer files with what Hugging Face makes of texts; see tools/make_tokenizer_goldens.py.
#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"
#include "text/tokenizer/definition.h"

namespace aurum::text {
namespace {

const Json& goldens() {
  static const Json all =
      Json::parse(std::ifstream(AURUM_SOURCE_DIR "/tests/golden/tokenizers.json"));
  return all;
}

class TokenizerGolden : public ::testing::TestWithParam<std::size_t> {
 protected:
  const Json& entry() const { return goldens()[GetParam()]; }
  std::shared_ptr<const Tokenizer> load() const {
    TokenizerDefinition definition;
    definition.source = entry()["name"];
    read_tokenizer_json(definition.source, entry()["tokenizer"].dump(), definition);
    return build_tokenizer(std::move(definition));
  }
};

bool tiles(const std::vector<ByteSpan>& spans, std::size_t size) {
  std::int64_t position = 0;
  for (const ByteSpan& span : spans) {
    if (span.begin != position || span.end < span.begin) return false;
    position = span.end;
  }
  return spans.empty() || position == static_cast<std::int64_t>(size);
}

std::string stream(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool skip) {
  const auto decoder = tokenizer.make_stream_decoder(skip);
  std::string text;
  for (const TokenId id : ids) text += decoder->push(id);
  return text + decoder->finish();
}

void expect_decoded(const Tokenizer& tokenizer, const Json& golden) {
  const auto ids = golden["ids"].get<std::vector<TokenId>>();
  for (const bool skip : {false, true}) {
    const auto wanted = golden[skip ? "skipped" : "decoded"].get<std::string>();
    EXPECT_EQ(tokenizer.decode(ids, skip), wanted) << golden;
    EXPECT_EQ(stream(tokenizer, ids, skip), wanted) << golden;
  }
  const DecodedSpans decoded = tokenizer.spans_of_ids(ids);
  EXPECT_EQ(decoded.text, tokenizer.decode(ids, true));
  EXPECT_TRUE(tiles(decoded.spans, decoded.text.size())) << golden;
}

TEST_P(TokenizerGolden, GivesTheIdsOfHuggingFaceWithSpansThatTile) {
  const auto tokenizer = load();
  for (const Json& golden : entry()["encode"]) {
    const auto text = golden["text"].get<std::string>();
    const Encoding encoding = tokenizer->encode(text, golden["specials"].get<bool>());
    EXPECT_EQ(encoding.ids, golden["ids"].get<std::vector<TokenId>>()) << golden;
    EXPECT_TRUE(tiles(encoding.spans, text.size())) << golden;
  }
}

TEST_P(TokenizerGolden, DecodesAtOnceAndInAStreamAsHuggingFace) {
  const auto tokenizer = load();
  for (const char* list : {"encode", "decode"}) {
    for (const Json& golden : entry()[list]) {
      if (golden.contains("decoded")) expect_decoded(*tokenizer, golden);
    }
  }
}

std::string name_of(const ::testing::TestParamInfo<std::size_t>& info) {
  std::string name = goldens()[info.param]["name"];
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(, TokenizerGolden, ::testing::Range<std::size_t>(0, goldens().size()),
                         name_of);

}  // namespace
}  // namespace aurum::text

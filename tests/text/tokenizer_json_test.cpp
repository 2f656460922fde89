#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "text/tokenizer/definition.h"

namespace aurum::text {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string error_of(const std::string& content) {
  try {
    TokenizerDefinition definition;
    definition.source = "t.json";
    read_tokenizer_json("t.json", content, definition);
    build_tokenizer(std::move(definition));
  } catch (const FormatError& error) {
    return error.what();
  }
  return "";
}

std::string with(const std::string& key, const std::string& value) {
  return R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, ")" + key + "\": " + value +
         "}";
}

// What is wrong, and what the message must name.
struct Case {
  std::string content, place;
};

TEST(TokenizerJson, NamesFileAndPlaceOfEveryMistake) {
  const std::vector<Case> cases = {
      {"", "not JSON"},
      {"[1, 2]", "JSON object"},
      {"{\"model\": ", "not JSON"},
      {"{}", "/model"},
      {R"({"model": 3})", "/model"},
      {R"({"version": "2.0", "model": {}})", "/version"},
      {R"({"model": {"type": "WordLevel"}})", R"(/model/type: is "WordLevel"; supported: BPE)"},
      {R"({"model": {"type": "BPE", "vocab": [], "merges": []}})", "/model/vocab"},
      {R"({"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}})", "/model/vocab"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 4000000000}, "merges": []}})", "/model/vocab"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}}})", "/model/merges"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["aa"]}})", "/model/merges/0"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}})", "/model/merges/0"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}})", "/model/merges/0"},
      {R"({"model": {"type": "Unigram", "vocab": [["a"]]}})", "/model/vocab/0"},
      {R"({"model": {"type": "Unigram", "vocab": [["a", -1]], "unk_id": 7}})", "/model/unk_id"},
      {with("added_tokens", "[5]"), "/added_tokens/0"},
      {with("normalizer", R"({"type": "Sequence", "normalizers": [{"type": "Odd"}]})"),
       "/normalizer/normalizers/0"},
      {with("normalizer", "[]"), "/normalizer"},
      {with("normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "!"})"),
       "/normalizer/precompiled_charsmap"},
      {with("normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "AAAA"})"),
       "/normalizer/precompiled_charsmap"},
      {with("pre_tokenizer",
            R"({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Removed"})"),
       "/pre_tokenizer/pattern/Regex"},
      {with("pre_tokenizer", R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Gone"})"),
       "/pre_tokenizer/behavior"},
      {with("pre_tokenizer", R"({"type": "FixedLength", "length": 0})"), "/pre_tokenizer/length"},
      {with("decoder", R"({"type": "Odd"})"), "/decoder"},
      {with("post_processor", R"({"type": "Odd"})"), "/post_processor"},
      {with("post_processor",
            R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<x>"}}]})"),
       "/post_processor/single"},
      {with("post_processor", R"({"type": "BertProcessing", "cls": ["a"], "sep": ["a", 0]})"),
       "/post_processor/cls"},
  };
  for (const Case& bad : cases) {
    const std::string message = error_of(bad.content);
    EXPECT_THAT(message, HasSubstr("t.json")) << bad.content;
    EXPECT_THAT(message, HasSubstr(bad.place)) << bad.content;
    EXPECT_THAT(message, Not(HasSubstr("\n"))) << bad.content;
  }
}

TEST(TokenizerJson, ReadsOldFilesWithoutATypeByTheirFields) {
  EXPECT_EQ(error_of(R"({"model": {"vocab": {"a": 0}, "merges": []}})"), "");
  EXPECT_EQ(error_of(R"({"model": {"vocab": [["a", 0]], "unk_id": 0}})"), "");
  EXPECT_EQ(error_of(R"({"model": {"vocab": {"a": 0}, "max_input_chars_per_word": 9}})"), "");
}

}  // namespace
}  // namespace aurum::text

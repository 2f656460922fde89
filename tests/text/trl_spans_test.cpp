// TRL's own spans and groups; see tools/make_trl_alignment_goldens.py.
#include "text/alignment/trl_spans.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "text/tokenizer/definition.h"

namespace aurum::text {
namespace {

Json read_golden(const std::string& name) {
  return Json::parse(std::ifstream(AURUM_SOURCE_DIR "/tests/golden/" + name));
}

using Tokenizers = std::map<std::string, std::shared_ptr<const Tokenizer>>;

Tokenizers load_excerpts() {
  Tokenizers result;
  for (const Json& entry : read_golden("tokenizers.json")) {
    const auto name = entry["name"].get<std::string>();
    constexpr std::string_view kExcerpt = "excerpt of ";
    if (!name.starts_with(kExcerpt)) continue;
    TokenizerDefinition definition;
    read_tokenizer_json(name, entry["tokenizer"].dump(), definition);
    result[name.substr(kExcerpt.size())] = build_tokenizer(std::move(definition));
  }
  return result;
}

Json to_json(const std::vector<ByteSpan>& spans) {
  Json list = Json::array();
  for (const ByteSpan& span : spans) list.push_back({span.begin, span.end});
  return list;
}

Json to_json(const std::vector<AlignedGroup>& groups) {
  Json list = Json::array();
  for (const AlignedGroup& g : groups) {
    list.push_back({g.student_begin, g.student_end, g.teacher_begin, g.teacher_end});
  }
  return list;
}

// Hugging Face gives a composed character the offsets of its first source character alone.
bool composes(const std::string& text) { return text == "e\u0301"; }

TEST(TrlSpans, AreThoseOfTrl) {
  const Tokenizers tokenizers = load_excerpts();
  int checked = 0;
  for (const Json& golden : read_golden("trl_alignment.json")) {
    const auto text = golden["text"].get<std::string>();
    if (composes(text)) continue;
    const Tokenizer& student = *tokenizers.at(golden["student"]);
    const Tokenizer& teacher = *tokenizers.at(golden["teacher"]);
    const auto student_spans = trl_spans_of_ids(student, student.encode(text, false).ids);
    const auto teacher_spans = trl_spans_of_text(teacher, text, teacher.encode(text, false));
    EXPECT_EQ(to_json(student_spans), golden["student_spans"]) << golden;
    EXPECT_EQ(to_json(teacher_spans), golden["teacher_spans"]) << golden;
    EXPECT_EQ(to_json(align_by_bytes(student_spans, teacher_spans)), golden["groups"]) << golden;
    ++checked;
  }
  EXPECT_GT(checked, 50);
}

TEST(TrlSpans, CountCharactersWhereExactSpansCountBytes) {
  const Tokenizers tokenizers = load_excerpts();
  const Tokenizer& deepseek = *tokenizers.at("deepseek_v3");
  const Encoding encoding = deepseek.encode("<｜User｜>hi", false);
  EXPECT_EQ(encoding.spans, (std::vector<ByteSpan>{{0, 12}, {12, 14}}));
  EXPECT_EQ(trl_spans_of_ids(deepseek, encoding.ids), (std::vector<ByteSpan>{{0, 8}, {8, 10}}));
}

}  // namespace
}  // namespace aurum::text

#include "text/alignment/alignment_summary.h"

#include <gtest/gtest.h>

#include "text/tokenizer/definition.h"

namespace aurum::text {
namespace {

TEST(AlignmentSummary, CountsGroupsOverTexts) {
  AlignmentSummary summary;
  EXPECT_EQ(summary.one_to_one_share(), 0);
  summary.add(10, 3, 4, std::vector<AlignedGroup>{{0, 1, 0, 1}, {1, 3, 1, 4}});
  summary.add(5, 2, 2, std::vector<AlignedGroup>{{0, 1, 0, 1}, {1, 2, 1, 2}});
  EXPECT_EQ(summary.texts, 2);
  EXPECT_EQ(summary.bytes, 15);
  EXPECT_EQ(summary.student_tokens, 5);
  EXPECT_EQ(summary.teacher_tokens, 6);
  EXPECT_EQ(summary.groups, 4);
  EXPECT_EQ(summary.longest_group, 3);
  EXPECT_DOUBLE_EQ(summary.one_to_one_share(), 0.75);
}

std::shared_ptr<const Tokenizer> tokenizer_of(std::vector<std::string> vocabulary,
                                              bool byte_level) {
  TokenizerDefinition definition;
  definition.model.vocabulary = std::move(vocabulary);
  if (byte_level) definition.decoder = {{"type", "ByteLevel"}};
  definition.added_tokens.push_back({.content = "<end>", .special = true});
  return build_tokenizer(std::move(definition));
}

TEST(AlignmentSummary, ComparesVocabulariesByBytesAndByStrings) {
  const auto student = tokenizer_of({"Ġthe", "a", "b", "<end>"}, true);
  const auto teacher = tokenizer_of({"▁the", "a", "c", "d", "<end>"}, false);
  const VocabularyOverlap overlap = overlap_of(*student, *teacher);
  EXPECT_EQ(overlap.student_tokens, 3);
  EXPECT_EQ(overlap.teacher_tokens, 4);
  EXPECT_EQ(overlap.same_bytes, 2);  // " the" and "a"
  EXPECT_EQ(overlap.same_strings, 1);
}

}  // namespace
}  // namespace aurum::text

#include "train/row_builder.h"

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace aurum::train {
namespace {

// Two byte-level tokenizers with different merges; their models are not used.
class RowBuilderTest : public testing::Test {
 protected:
  RowBuilderTest() {
    testing_support::write_tiny_run(folder_.path(), 1);
    student_.tokenizer = text::load_tokenizer(folder_.path() / "student");
    teacher_.tokenizer = text::load_tokenizer(folder_.path() / "teacher");
  }

  RowBuilder builder(std::int64_t model_max_length) const {
    return RowBuilder(student_, teacher_, {.model_max_length = model_max_length}, false);
  }

  testing_support::TemporaryFolder folder_;
  TextSide student_, teacher_;
};

std::vector<std::pair<std::int64_t, std::int64_t>> spans_of(const loss::RowSide& side) {
  std::vector<std::pair<std::int64_t, std::int64_t>> spans;
  for (const text::ByteSpan& span : side.spans) spans.emplace_back(span.begin, span.end);
  return spans;
}

TEST_F(RowBuilderTest, FreeTextIsAllCompletion) {
  const auto row = builder(0).from_answer({.completion_text = "the in", .is_free_text = true});
  ASSERT_TRUE(row.has_value());
  // the, space, i, n and the end of turn; the teacher joins i and n.
  EXPECT_EQ(spans_of(row->student), (std::vector<std::pair<std::int64_t, std::int64_t>>{
                                        {0, 3}, {3, 4}, {4, 5}, {5, 6}, {6, 6}}));
  EXPECT_EQ(row->teacher.ids.size(), 4u);
  EXPECT_TRUE(row->student.is_completion.front());
}

TEST_F(RowBuilderTest, ACutThroughFreeTextRebasesBothSidesToAWholeCharacter) {
  // The cut leaves the second byte of the u with dots first; it goes as well.
  const auto row =
      builder(4).from_answer({.completion_text = "the \xC3\xBCin", .is_free_text = true});
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(spans_of(row->student),
            (std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 1}, {1, 2}, {2, 2}}));
  EXPECT_EQ(spans_of(row->teacher),
            (std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 2}, {2, 2}}));
}

TEST_F(RowBuilderTest, ARowWhosePromptIsCutAwayIsSkipped) {
  const data::Example example{.prompt_text = "her", .completion_text = "the in"};
  EXPECT_TRUE(builder(6).from_answer(example).has_value());
  EXPECT_FALSE(builder(5).from_answer(example).has_value());
}

TEST_F(RowBuilderTest, ATeachersAnswerIsReadInTheStudentsTokens) {
  const data::Example example{.prompt_text = "her", .completion_text = "unused"};
  rollout::Rollout answer{.completion_ids = teacher_.tokenizer->encode("the in", false).ids};
  EXPECT_EQ(answer.completion_ids.size(), 3u);  // the teacher joins i and n
  const loss::Row cut_off = builder(0).from_teacher_answer(example, answer);
  EXPECT_FALSE(cut_off.student.ends_with_eos);
  EXPECT_TRUE(cut_off.teacher.ids.empty());
  std::vector<std::int32_t> expected = builder(0).rollout_prompt(example);
  const std::size_t prompt_length = expected.size();
  for (const std::int32_t id : student_.tokenizer->encode("the in", false).ids) {
    expected.push_back(id);
  }
  EXPECT_EQ(cut_off.student.ids, expected);
  EXPECT_FALSE(cut_off.student.is_completion[prompt_length - 1]);
  EXPECT_TRUE(cut_off.student.is_completion[prompt_length]);

  answer.completion_ids.push_back(teacher_.end_of_turn());
  answer.finish_reason = rollout::FinishReason::kEndOfTurn;
  expected.push_back(student_.end_of_turn());
  const loss::Row whole = builder(0).from_teacher_answer(example, answer);
  EXPECT_EQ(whole.student.ids, expected);
  EXPECT_TRUE(whole.student.ends_with_eos);
}

}  // namespace
}  // namespace aurum::train

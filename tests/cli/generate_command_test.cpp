#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/json_lines.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace aurum::cli {
namespace {

using testing::HasSubstr;
using testing_support::lines_of;
using testing_support::ProgramResult;
using testing_support::run_aurum;

class GenerateCommand : public testing::Test {
 protected:
  GenerateCommand() { testing_support::write_tiny_model(folder_.path()); }

  ProgramResult generate(const std::string& input) const {
    return run_aurum({"generate", "--model", folder_.path().string(), "--max-new-tokens", "6"},
                     input);
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(GenerateCommand, AnswersLinesInOrderWhateverTheirCompany) {
  const std::string chat = R"({"messages": [{"role": "user", "content": "hi"}], "seed": 3})";
  const std::string plain = R"({"prompt": "then", "max_new_tokens": 3, "n": 2})";
  const ProgramResult together = generate(chat + "\n" + plain + "\n" + chat + "\n");
  ASSERT_EQ(together.exit_code, 0) << together.err;
  const auto lines = lines_of(together.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], lines[2]);
  EXPECT_EQ(lines[0], lines_of(generate(chat).out).at(0));
  EXPECT_EQ(lines[1]["ids"].size(), 3u);
  EXPECT_EQ(lines[1]["completions"].size(), 2u);
}

TEST_F(GenerateCommand, PutsAnErrorInThePlaceOfABadLine) {
  const ProgramResult result =
      generate("{\"prompt\": \"a\"}\nnonsense\n{\"promt\": \"a\"}\n{\"prompt\": \"b\"}\n");
  EXPECT_EQ(result.exit_code, 2);
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_TRUE(lines[0].contains("ids"));
  EXPECT_EQ(lines[1]["line"], 2);
  EXPECT_EQ(lines[2]["line"], 3);
  EXPECT_THAT(lines[2]["error"].get<std::string>(), HasSubstr("did you mean \"prompt\""));
  EXPECT_TRUE(lines[3].contains("ids"));
}

TEST_F(GenerateCommand, HoldsAnAnswerToARegex) {
  const ProgramResult result = generate(
      "{\"prompt\": \"a\", \"regex\": \"(yes|no)!\"}\n{\"prompt\": \"a\", \"regex\": "
      "\"(\"}\n{\"prompt\": \"a\"}\n");
  EXPECT_EQ(result.exit_code, 2);
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[0]["text"].get<std::string>(), testing::AnyOf("yes!", "no!"));
  EXPECT_EQ(lines[0]["finish_reason"], "eos");
  EXPECT_THAT(lines[1]["error"].get<std::string>(), HasSubstr("/regex: at 0: this ( is not"));
  EXPECT_TRUE(lines[2].contains("ids"));
}

}  // namespace
}  // namespace aurum::cli

// `aurum align` from outside: groups in both modes, statistics, the page, and bad lines.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
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

class AlignCommand : public testing::Test {
 protected:
  AlignCommand() {
    testing_support::write_tiny_model(folder_.path() / "student", {.merges = {"h e", "t he"}});
    testing_support::write_tiny_model(
        folder_.path() / "teacher",
        {.merges = {"t h", "e n"}, .end_of_turn = "</s>", .start_of_turn = "<s>"});
  }

  ProgramResult align(std::vector<std::string> more, const std::string& input = {}) const {
    more.insert(more.begin(), {"align", "--student", (folder_.path() / "student").string(),
                               "--teacher", (folder_.path() / "teacher").string()});
    return run_aurum(more, input);
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(AlignCommand, GroupsTheTokensThatCoverTheSameBytes) {
  const ProgramResult result = align({}, R"({"text": "then é"})");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            R"({"text":"then é","student":{"ids":[257,110,32,195,169],)"
            R"("spans":[[0,3],[3,4],[4,5],[5,6],[6,7]]},"teacher":{"ids":[256,257,32,195,169],)"
            R"("spans":[[0,2],[2,4],[4,5],[5,6],[6,7]]},)"
            R"("groups":[[0,2,0,2],[2,3,2,3],[3,4,3,4],[4,5,4,5]]})"
            "\n");
}

TEST_F(AlignCommand, TakesTheTextAsAnArgumentAndIdsOfBothSides) {
  const ProgramResult text = align({"then"});
  ASSERT_EQ(text.exit_code, 0) << text.err;
  const ProgramResult ids = align({}, R"({"student_ids": [257, 110], "teacher_ids": [256, 257]})");
  ASSERT_EQ(ids.exit_code, 0) << ids.err;
  EXPECT_EQ(text.out, ids.out);
  EXPECT_EQ(lines_of(ids.out)[0]["groups"], nlohmann::json::parse("[[0,2,0,2]]"));
}

TEST_F(AlignCommand, TakesTheLengthsOfTrlOnDemand) {
  // TRL counts the characters of an added token's name, which has two bytes more here.
  testing_support::write_tiny_model(folder_.path() / "student", {.end_of_turn = "<é>"});
  const std::string line = R"({"text": "<é>a"})";
  const auto exact = lines_of(align({}, line).out)[0];
  const auto trl = lines_of(align({"--mode", "trl"}, line).out)[0];
  EXPECT_EQ(exact["student"]["spans"], nlohmann::json::parse("[[0,4],[4,5]]"));
  EXPECT_EQ(trl["student"]["spans"], nlohmann::json::parse("[[0,3],[3,4]]"));
  EXPECT_EQ(align({"--mode", "odd"}, line).exit_code, 2);
}

TEST_F(AlignCommand, PutsAnErrorInThePlaceOfABadLineAndStillSumsUp) {
  const ProgramResult result =
      align({"--summary"}, R"({"text": "then"})"
                           "\n{\"text\": 5}\nnonsense\n{\"student_ids\": [97]}\n"
                           R"({"student_ids": [97], "teacher_ids": [98]})"
                           "\n");
  EXPECT_EQ(result.exit_code, 2);
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_TRUE(lines[0].contains("groups"));
  for (int i = 1; i < 5; ++i) EXPECT_EQ(lines[i]["line"], i + 1);
  EXPECT_THAT(lines[4]["error"].get<std::string>(), HasSubstr("differ from byte 0"));
  EXPECT_NE(result.err, "");  // the statistics
}

TEST_F(AlignCommand, WritesAPageThatNeedsNothingElse) {
  const std::string page = (folder_.path() / "page.html").string();
  const ProgramResult result = align({"--html", page, "<b>then</b>"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string html = read_file(page);
  EXPECT_THAT(html, HasSubstr("&lt;"));
  EXPECT_EQ(html.find("<b>then"), std::string::npos);
  EXPECT_EQ(html.find("http"), std::string::npos);
}

TEST_F(AlignCommand, SaysWhereAHostileTeacherIsWrong) {
  write_file(folder_.path() / "teacher" / "tokenizer_config.json", R"({"eos_token": 5})");
  const ProgramResult result = align({"a"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("teacher/tokenizer_config.json: /eos_token: "));
}

}  // namespace
}  // namespace aurum::cli

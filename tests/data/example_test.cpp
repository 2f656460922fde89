#include "data/example.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/support/temporary_folder.h"

namespace aurum::data {
namespace {

Example parse(const char* json) { return parse_example(OrderedJson::parse(json), "row"); }

TEST(Example, TakesTheLastAssistantTurn) {
  const Example e = parse(
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
      {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]})");
  EXPECT_EQ(e.prompt_messages.size(), 3U);
  EXPECT_EQ(e.completion_messages[0]["content"], "d");
}

TEST(Example, ReadsEveryShape) {
  EXPECT_EQ(parse(R"({"prompt": "a", "completion": "b"})").completion_text, "b");
  EXPECT_EQ(
      parse(R"({"instruction": "a", "input": "x", "output": "b"})").prompt_messages[0]["content"],
      "a\n\nx");
  EXPECT_EQ(
      parse(
          R"({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]})")
          .prompt_messages[0]["role"],
      "user");
}

TEST(Example, RefusesRowsThatCannotBeUsed) {
  for (const char* bad : {R"([])", R"({"x": 1})", R"({"messages": []})", R"({"messages": 3})",
                          R"({"messages": [{"role": "user", "content": "a"}]})",
                          R"({"messages": [{"role": "assistant", "content": "a"}]})",
                          R"({"prompt": 1, "completion": "b"})"}) {
    EXPECT_THROW(parse(bad), InputError) << bad;
  }
}

TEST(Example, NamesTheBrokenLine) {
  const testing_support::TemporaryFolder folder;
  const auto file = folder.path() / "train.jsonl";
  write_file(file, "{\"prompt\": \"a\", \"completion\": \"b\"}\n\n{broken\n");
  try {
    read_examples(file.string());
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("train.jsonl:3"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace aurum::data

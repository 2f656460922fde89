#include "data/example.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace aurum::data {
namespace {

Example parse(const char* json, const RowOptions& options = {}) {
  return parse_example(OrderedJson::parse(json), "row", options);
}

std::string first_content(const Example& example) {
  return example.prompt_messages.at(0).at("content").get<std::string>();
}

TEST(Example, TakesTheLastAssistantTurn) {
  const Example e = parse(
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
      {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"},
      {"role": "user", "content": "e"}]})");
  EXPECT_EQ(e.prompt_messages.size(), 3U);
  EXPECT_EQ(e.completion_messages[0]["content"], "d");
  EXPECT_TRUE(e.is_usable());
}

TEST(Example, ReadsPairsOfStringsAndOfMessages) {
  EXPECT_EQ(parse(R"({"prompt": "a", "completion": "b"})").completion_text, "b");
  EXPECT_EQ(parse(R"({"prompt": "a", "response": "b"})").completion_text, "b");
  EXPECT_EQ(
      parse(R"({"q": "a", "a": "b"})", {.prompt_column = "q", .response_column = "a"}).prompt_text,
      "a");
  const Example mixed =
      parse(R"({"prompt": [{"role": "user", "content": "a"}], "completion": "b"})");
  EXPECT_EQ(mixed.completion_messages[0]["role"], "assistant");
  EXPECT_EQ(mixed.completion_messages[0]["content"], "b");
}

TEST(Example, JoinsTheTextOfContentLists) {
  EXPECT_EQ(first_content(parse(
                R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"},
                {"type": "text", "content": "b"}, "c"]}, {"role": "assistant", "content": "d"}]})")),
            "abc");
}

TEST(Example, ReadsShareGptRolesAndItsSystemPrompt) {
  const Example e = parse(
      R"({"system": "s", "conversations": [{"from": "human", "value": "a"},
      {"from": "function_call", "value": "f"}, {"from": "observation", "value": "o"},
      {"from": "gpt", "value": "b"}]})");
  EXPECT_EQ(first_content(e), "s");
  EXPECT_EQ(e.prompt_messages[1]["role"], "user");
  EXPECT_EQ(e.prompt_messages[2]["role"], "assistant");
  EXPECT_EQ(e.prompt_messages[3]["role"], "tool");
  EXPECT_EQ(e.completion_messages[0]["content"], "b");
}

TEST(Example, ReadsOumisNestedConversation) {
  EXPECT_EQ(first_content(parse(R"({"conversation": {"messages": [{"role": "user", "content": "a"},
      {"role": "assistant", "content": "b"}]}})")),
            "a");
}

TEST(Example, WritesAlpacaPromptsAsOumiDoes) {
  const char* row = R"({"instruction": "a", "input": "x", "output": "b"})";
  EXPECT_EQ(first_content(parse(row)), "a\n\nx");
  const Example oumi = parse(row, {.include_system_prompt = true, .alpaca_headings = true});
  EXPECT_EQ(first_content(oumi).substr(0, 60),
            "Below is an instruction that describes a task, paired with a");
  EXPECT_EQ(oumi.prompt_messages[1]["content"], "a\n\n### Input:\nx");
  EXPECT_EQ(first_content(parse(R"({"instruction": "a", "input": "", "output": "b"})",
                                {.include_system_prompt = true}))
                .substr(0, 48),
            "Below is an instruction that describes a task. W");
}

TEST(Example, FreeTextIsAllCompletion) {
  const Example e = parse(R"({"text": "abc"})");
  EXPECT_TRUE(e.is_usable());
  EXPECT_TRUE(e.is_free_text);
  EXPECT_EQ(e.completion_text, "abc");
}

TEST(Example, ColumnsOfATableThatAreNullAreAbsent) {
  const Example e = parse(
      R"({"messages": null, "tools": null, "prompt": [{"role": "user", "content": "a",
      "name": null}], "completion": "b"})");
  EXPECT_FALSE(e.prompt_messages[0].contains("name"));
  EXPECT_TRUE(e.tools.is_null());
}

TEST(Example, EmptyPromptsAndCompletionsAreNotUsable) {
  for (const char* row :
       {R"({"messages": []})", R"({"messages": [{"role": "user", "content": "a"}]})",
        R"({"messages": [{"role": "assistant", "content": "a"}]})",
        R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}]})",
        R"({"prompt": "", "completion": "b"})", R"({"prompt": "a", "completion": ""})",
        R"({"instruction": "a", "output": ""})", R"({"text": ""})"}) {
    EXPECT_FALSE(parse(row).is_usable()) << row;
  }
  EXPECT_TRUE(parse(R"({"messages": [{"role": "user", "content": "a"},
      {"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]}]})")
                  .is_usable());
}

TEST(Example, RefusesRowsThatAreMalformed) {
  for (const char* bad :
       {R"([])", R"({"x": 1})", R"({"messages": 3})", R"({"messages": [3]})",
        R"({"messages": [{"role": "user"}]})", R"({"messages": [{"role": "user", "content": 3}]})",
        R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})",
        R"({"messages": [{"role": "user", "content": [{"type": 3}]}]})",
        R"({"conversations": [{"from": "human"}]})", R"({"conversations": {}})",
        R"({"prompt": 1, "completion": "b"})", R"({"text": 3})",
        R"({"instruction": 3, "output": "b"})"}) {
    EXPECT_THROW(parse(bad), InputError) << bad;
  }
}

}  // namespace
}  // namespace aurum::data

#include "text/chat/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace aurum::text {
namespace {

using testing::HasSubstr;

constexpr const char* kChatMl =
    "{% for m in messages %}<{{ m.role }}>{{ m['content'] }}</>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

RenderRequest request_of(const char* messages) {
  return {.messages = OrderedJson::parse(messages)};
}

std::string render(const std::string& source, const RenderRequest& request) {
  return ChatTemplate::parse(source, "test").render(request).text;
}

std::string error_of(const std::string& source, const RenderRequest& request) {
  try {
    render(source, request);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

constexpr const char* kHi = R"([{"role": "user", "content": "hi"}])";
constexpr const char* kTwo =
    R"([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo "}])";

TEST(ChatTemplate, RendersMessagesAndTheGenerationPrompt) {
  RenderRequest request = request_of(kHi);
  request.add_generation_prompt = true;
  EXPECT_EQ(render(kChatMl, request), "<user>hi</>\n<assistant>");
}

TEST(ChatTemplate, LetsVariablesWinOverSpecialTokensAndMessages) {
  RenderRequest request = request_of(kHi);
  request.special_tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  request.variables = OrderedJson::parse(R"({"eos_token": "E", "tools": [1]})");
  EXPECT_EQ(render("{{ bos_token ~ eos_token ~ tools ~ pad_token ~ documents }}", request),
            "<s>E[1]None");
}

TEST(ChatTemplate, DropsNullKeysOfMessages) {
  EXPECT_EQ(render("{{ messages[0] }}{{ messages[0].content is defined }}",
                   request_of(R"([{"role": "user", "content": null, "k": {"x": null}}])")),
            "{'role': 'user', 'k': {'x': None}}False");
}

TEST(ChatTemplate, ShowsReasoningUnderBothNames) {
  for (const char* key : {"reasoning_content", "thinking", "reasoning"}) {
    const std::string messages = std::string(R"([{"role": "assistant", ")") + key + R"(": "R"}])";
    EXPECT_EQ(render("{{ messages[0].reasoning_content ~ messages[0].thinking }}",
                     request_of(messages.c_str())),
              "RR")
        << key;
  }
}

TEST(ChatTemplate, KeepsKeyOrderAndNumberTypes) {
  RenderRequest request = request_of(kHi);
  request.tools = OrderedJson::parse(R"([{"b": 1, "a": 1.0, "c": 18446744073709551615}])");
  EXPECT_EQ(render("{{ tools | tojson }}{{ tools }}", request),
            "[{\"b\": 1, \"a\": 1.0, \"c\": 18446744073709551615}]"
            "[{'b': 1, 'a': 1.0, 'c': 18446744073709551615}]");
}

TEST(ChatTemplate, ReadsTheGivenClock) {
  RenderRequest request = request_of(kHi);
  request.now = std::tm{.tm_min = 5, .tm_hour = 9, .tm_mday = 31, .tm_mon = 0, .tm_year = 126};
  EXPECT_EQ(render("{{ strftime_now('%A %d %b %Y %H:%M %f') }}", request),
            "Saturday 31 Jan 2026 09:05 000000");
}

TEST(ChatTemplate, ContinuesTheFinalMessage) {
  RenderRequest request = request_of(kTwo);
  request.continue_final_message = true;
  EXPECT_EQ(render(kChatMl, request), "<user>hi</>\n<assistant>yo ");
  // A template that trims the content leaves no blank behind.
  EXPECT_EQ(render("{% for m in messages %}<{{ m.content | trim }}>{% endfor %}", request),
            "<hi><yo");
  request.messages[1]["content"] =
      OrderedJson::parse(R"([{"text": "a"}, {"text": "b"}, {"type": "image"}])");
  EXPECT_EQ(render("{% for c in messages[1].content %}{{ c.text }}.{% endfor %}", request), "a.b");
}

TEST(ChatTemplate, RefusesWhatTransformersRefuses) {
  RenderRequest request = request_of(kTwo);
  request.continue_final_message = true;
  EXPECT_THAT(error_of("{{ messages[0].content }}", request), HasSubstr("does not appear"));
  EXPECT_THAT(error_of("{{ 1 }}", request), HasSubstr("does not use the messages' content"));
  request.add_generation_prompt = true;
  EXPECT_THAT(error_of(kChatMl, request), HasSubstr("exclude each other"));
  EXPECT_THAT(error_of(kChatMl, request_of("[]")), HasSubstr("/messages is empty"));
  EXPECT_THAT(error_of(kChatMl, request_of("[1]")), HasSubstr("/messages/0 must be an object"));
  EXPECT_THAT(error_of(kChatMl, request_of("{}")), HasSubstr("/messages must be a list"));
}

TEST(ChatTemplate, GivesGenerationSpansInBytes) {
  const ChatTemplate chat = ChatTemplate::parse(
      "é{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}|{% endfor %}",
      "test");
  const RenderedChat rendered = chat.render(request_of(R"([{"content": "ü"}, {"content": "ab"}])"));
  EXPECT_EQ(rendered.text, "éü|ab|");
  ASSERT_EQ(rendered.generation_spans.size(), 2u);
  EXPECT_EQ(rendered.generation_spans[0].begin, 2);
  EXPECT_EQ(rendered.generation_spans[0].end, 4);
  EXPECT_EQ(rendered.generation_spans[1].begin, 5);
  EXPECT_EQ(rendered.generation_spans[1].end, 7);
}

TEST(ChatTemplate, NamesTheTemplateAndTheLineInOneLine) {
  const std::string error =
      error_of("a\n{% if true %}\n{{ raise_exception('No\nsystem') }}{% endif %}", request_of(kHi));
  EXPECT_EQ(error, "test: line 3: No system");
  try {
    ChatTemplate::parse("a\n\n{% nothing %}", "MODEL");
    FAIL();
  } catch (const FormatError& syntax_error) {
    EXPECT_STREQ(syntax_error.what(), "MODEL: line 3: Encountered unknown tag 'nothing'.");
  }
}

TEST(ChatTemplates, PicksToolUseWhenToolsAreGiven) {
  const ChatTemplates templates(
      {{"default", {"D", ""}}, {"tool_use", {"T", ""}}, {"rag", {"{% broken", ""}}}, "m");
  RenderRequest request = request_of(kHi);
  EXPECT_EQ(templates.render(request).text, "D");
  request.tools = OrderedJson::array();
  EXPECT_EQ(templates.render(request).text, "T");
  EXPECT_EQ(ChatTemplates({{"default", {"D", ""}}}, "m").render(request).text, "D");
}

TEST(ChatTemplates, SaysThatThereIsNone) {
  const ChatTemplates templates({}, "m");
  EXPECT_TRUE(templates.empty());
  EXPECT_THROW(templates.render(request_of(kHi)), InputError);
}

}  // namespace
}  // namespace aurum::text

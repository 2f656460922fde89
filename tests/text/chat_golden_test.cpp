// Compares with what transformers and Jinja2 printed; see tests/golden/templates/README.md.

#include <filesystem>
#include <fstream>
#include <iomanip>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "text/chat/chat_template.h"

namespace aurum::text {
namespace {

const std::string kFolder = std::string(AURUM_SOURCE_DIR) + "/tests/golden/templates/";

std::string read(const std::string& name) {
  std::ifstream file(kFolder + name, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::tm parse_time(const std::string& text) {
  std::tm time{};
  std::istringstream(text) >> std::get_time(&time, "%Y-%m-%dT%H:%M:%S");
  return time;
}

std::string digest(const RenderedChat& chat) {
  std::string hashed = chat.text + '\0';
  for (const ByteSpan& span : chat.generation_spans) {
    hashed += fmt::format("[{},{}]", span.begin, span.end);
  }
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char byte : hashed) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3;
  return fmt::format("{:010x}", hash >> 24);
}

RenderRequest request_of(const OrderedJson& messages, const OrderedJson& option,
                         const OrderedJson& requests) {
  RenderRequest request{.messages = messages,
                        .tools = option.value("tools", OrderedJson()),
                        .documents = option.value("documents", OrderedJson()),
                        .add_generation_prompt = option.value("add_generation_prompt", false),
                        .continue_final_message = option.value("continue_final_message", false),
                        .variables = option.value("variables", OrderedJson::object()),
                        .now = parse_time(requests["now"])};
  for (const auto& [name, token] : requests["special"].items())
    request.special_tokens[name] = token;
  return request;
}

class FamilyTemplate : public testing::TestWithParam<const char*> {};

TEST_P(FamilyTemplate, EqualsTransformers) {
  const std::string family = GetParam();
  const OrderedJson requests = OrderedJson::parse(read("requests.json"));
  const OrderedJson digests = OrderedJson::parse(read("digests.json"))[family];
  const ChatTemplate chat = ChatTemplate::parse(read(family + ".jinja"), family);
  ASSERT_GE(digests.size(), 20u);
  for (const auto& [conversation, expected] : digests.items()) {
    for (const auto& [option, want] : expected.items()) {
      std::string text, got;
      try {
        const RenderedChat rendered = chat.render(request_of(
            requests["conversations"][conversation], requests["options"][option], requests));
        text = rendered.text;
        got = digest(rendered);
      } catch (const InputError& error) {
        text = error.what();
        got = "refused";
      }
      EXPECT_EQ(got, want.get<std::string>()) << conversation << "/" << option << ": " << text;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(ChatTemplate, FamilyTemplate,
                         testing::Values("cohere2", "deepseek_v3", "deepseek_v3_1", "gemma2",
                                         "gemma3", "gpt_oss_training", "lfm2_5", "llama2",
                                         "llama3_1", "llama3_2", "mistral_small_3_2", "phi3_5",
                                         "qwen2_5", "qwen3_coder", "qwen3_5", "qwen3_training",
                                         "smollm3"),
                         [](const auto& param) { return std::string(param.param); });

// Every line of tools/templates/expressions.py.
TEST(ChatTemplate, EvaluatesAsJinja2) {
  const OrderedJson golden = OrderedJson::parse(read("expressions.json"));
  RenderRequest request{.messages = OrderedJson::parse(R"([{"role": "user", "content": "hi"}])"),
                        .variables = golden["variables"],
                        .now = parse_time(golden["now"])};
  for (const OrderedJson& entry : golden["results"]) {
    const std::string source = entry[0];
    OrderedJson got;
    std::string error;
    try {
      got = ChatTemplate::parse(source, "test").render(request).text;
    } catch (const Error& refused) {
      error = refused.what();
    }
    EXPECT_EQ(got, entry[1]) << source << "\n" << error;
  }
}

}  // namespace
}  // namespace aurum::text

// `aurum template` from outside: what its lines look like, and that hostile templates and requests
// end with one line.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "tests/support/json_lines.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"
#include "tests/weights/gguf_builder.h"

namespace aurum::cli {
namespace {

using testing::HasSubstr;
using testing_support::lines_of;
using testing_support::ProgramResult;
using testing_support::run_aurum;

constexpr const char* kHi = R"({"messages": [{"role": "user", "content": "hi"}]})";

class TemplateCommand : public testing::Test {
 protected:
  TemplateCommand() { testing_support::write_tiny_model(folder_.path()); }

  ProgramResult render(const std::string& input) const {
    return run_aurum({"template", "--tokenizer", folder_.path().string()}, input);
  }
  ProgramResult render_with(const std::string& source, const std::string& input = kHi) const {
    write_file(folder_.path() / "chat_template.jinja", source);
    return render(input);
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(TemplateCommand, RendersAConversationPerLine) {
  const ProgramResult result =
      render(std::string(kHi) + "\n" +
             R"({"messages": [{"role": "user", "content": "é"}], "add_generation_prompt": true})");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, R"({"text":"<|im_start|>user\nhi<|im_end|>\n","generation_spans":[]})"
                        "\n"
                        R"({"text":"<|im_start|>user\né<|im_end|>\n<|im_start|>assistant\n",)"
                        R"("generation_spans":[]})"
                        "\n");
}

TEST_F(TemplateCommand, PassesToolsDocumentsVariablesTokensAndTheClock) {
  const ProgramResult result = render_with(
      "é{{ tools[0].name }}{{ documents[0].t }}{{ x }}{{ eos_token }}{{ strftime_now('%d %b') }}"
      "{% generation %}ü{% endgeneration %}",
      R"({"messages": [{"role": "user", "content": "hi"}], "tools": [{"name": "T"}],)"
      R"( "documents": [{"t": "D"}], "variables": {"x": 1.0}, "now": "2026-01-31T12:00:00"})");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, R"({"text":"éTD1.0<|im_end|>31 Janü","generation_spans":[[23,25]]})"
                        "\n");
}

TEST_F(TemplateCommand, ContinuesTheFinalMessage) {
  const ProgramResult result = render(
      R"({"messages": [{"role": "assistant", "content": "yo"}], "continue_final_message": true})");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lines_of(result.out)[0]["text"], "<|im_start|>assistant\nyo");
}

TEST_F(TemplateCommand, PutsAnErrorInThePlaceOfABadLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nonsense", "not a JSON object"},
      {"[]", "not a JSON object"},
      {"{}", "/messages is missing"},
      {R"({"mesages": []})", "did you mean \"messages\""},
      {R"({"messages": 5})", "/messages must be a list"},
      {R"({"messages": []})", "/messages is empty"},
      {R"({"messages": [1]})", "/messages/0 must be an object"},
      {R"({"messages": [{"role": "user"}], "tools": 5})", "/tools must be a list"},
      {R"({"messages": [{"role": "user"}], "variables": 5})", "/variables must be an object"},
      {R"({"messages": [{"role": "user"}], "now": "noon"})", "/now must look like"},
      {R"({"messages": [{"role": "user"}], "add_generation_prompt": 1})",
       "/add_generation_prompt must be true or false"},
  };
  std::string input;
  for (const auto& [line, error] : cases) input += line + "\n";
  const ProgramResult result = render(input + kHi);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "");
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), cases.size() + 1);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(lines[i]["line"], i + 1);
    EXPECT_THAT(lines[i]["error"].get<std::string>(), HasSubstr(cases[i].second));
  }
  EXPECT_TRUE(lines.back().contains("text"));
}

TEST_F(TemplateCommand, NamesTheLineOfABrokenTemplate) {
  for (const char* source : {"a\n{% if %}", "\n{{ 'x' | nofilter }}"}) {
    const ProgramResult result = render_with(source);
    EXPECT_EQ(result.exit_code, 2) << source;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err,
                HasSubstr((folder_.path() / "chat_template.jinja").string() + ": line 2: "));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  EXPECT_THAT(render_with("a\xFF").err, HasSubstr("not valid UTF-8"));
}

TEST_F(TemplateCommand, AnswersAHostileTemplateWithItsLine) {
  for (const char* source : {"\n{{ raise_exception('No\nsystem') }}", "\n{{ 'a' * 10**9 }}"}) {
    const ProgramResult result = render_with(source);
    EXPECT_EQ(result.exit_code, 2) << source;
    EXPECT_EQ(result.err, "");
    const std::string error = lines_of(result.out).at(0)["error"];
    EXPECT_THAT(error, HasSubstr("chat_template.jinja: line 2: ")) << source;
    EXPECT_EQ(error.find('\n'), std::string::npos) << source;
  }
}

TEST_F(TemplateCommand, SaysThatAModelHasNoTemplate) {
  write_file(folder_.path() / "tokenizer_config.json", "{}");
  const ProgramResult result = render(kHi);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("this model has no chat template"));
}

TEST_F(TemplateCommand, ReadsTheTemplateOfAGgufFile) {
  const auto file = [&](const char* source) {
    return testing_support::GgufBuilder()
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", {"<unk>", "a"})
        .f32s("tokenizer.ggml.scores", {0, 0})
        .text("tokenizer.chat_template", source)
        .write(folder_.path() / "sub.gguf");
  };
  std::filesystem::remove(folder_.path() / "tokenizer.json");  // it would win
  const ProgramResult good =
      run_aurum({"template", "--tokenizer", file("[{{ messages[0].content }}]")}, kHi);
  EXPECT_EQ(lines_of(good.out).at(0)["text"], "[hi]");
  const ProgramResult bad = run_aurum({"template", "--tokenizer", file("{% if %}")}, kHi);
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.err, HasSubstr("sub.gguf: tokenizer.chat_template: line 1: "));
}

}  // namespace
}  // namespace aurum::cli

// `aurum tokenize` from outside: what its lines look like, and that a hostile file ends with one
// line that names the file and the place.

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
using testing::StartsWith;
using testing_support::GgufBuilder;
using testing_support::lines_of;
using testing_support::ProgramResult;
using testing_support::run_aurum;

class TokenizeCommand : public testing::Test {
 protected:
  TokenizeCommand() {
    testing_support::write_tiny_model(folder_.path(), {.merges = {"h e", "l l"}});
  }

  ProgramResult tokenize(const std::string& input, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"tokenize", "--tokenizer", folder_.path().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_aurum(arguments, input);
  }
  std::string write(const std::string& name, const std::string& content) const {
    write_file(folder_.path() / name, content);
    return (folder_.path() / name).string();
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(TokenizeCommand, GivesIdsSpansInBytesAndPieces) {
  const ProgramResult result = tokenize(R"({"text": "hell é"})"
                                        "\n"
                                        R"({"text": "", "add_special_tokens": true})"
                                        "\n"
                                        R"({"text": "<|im_end|>a"})"
                                        "\n");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, R"({"ids":[256,257,32,195,169],"spans":[[0,2],[2,4],[4,5],[5,6],[6,7]],)"
                        R"("pieces":["he","ll","Ġ","Ã","©"]})"
                        "\n"
                        R"({"ids":[],"spans":[],"pieces":[]})"
                        "\n"
                        R"({"ids":[259,97],"spans":[[0,10],[10,11]],"pieces":["<|im_end|>","a"]})"
                        "\n");
}

TEST_F(TokenizeCommand, DecodesAndSkipsSpecialTokensOnDemand) {
  const ProgramResult result = tokenize(R"({"ids": [256, 257, 259, 195]})"
                                        "\n"
                                        R"({"ids": [256, 259, 9999], "skip_special_tokens": true})"
                                        "\n",
                                        {"--decode"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "{\"text\":\"hell<|im_end|>\uFFFD\"}\n{\"text\":\"he\"}\n");
}

TEST_F(TokenizeCommand, GivesTheTextOfSampledIdsWithTheBytesOfEach) {
  const ProgramResult result = tokenize(R"({"ids": [256, 195, 169, 195, 97]})", {"--spans"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  // A lone first byte of two becomes U+FFFD, which has three.
  EXPECT_EQ(result.out, "{\"text\":\"heé\uFFFDa\",\"spans\":[[0,2],[2,3],[3,4],[4,7],[7,8]]}\n");
}

TEST_F(TokenizeCommand, PutsAnErrorInThePlaceOfABadLine) {
  const ProgramResult result = tokenize(
      "{\"text\": \"a\"}\n\nnonsense\n[1]\n{\"text\": 5}\n{}\n"
      "{\"text\": \"a\", \"add_special_tokens\": 1}\n{\"text\": \"\\ud800\"}\n{\"text\": \"b\"}\n");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "");
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_TRUE(lines[0].contains("ids"));
  for (int i = 1; i < 7; ++i) {
    EXPECT_EQ(lines[i]["line"], i + 2) << lines[i];
    EXPECT_TRUE(lines[i]["error"].is_string());
  }
  EXPECT_TRUE(lines[7].contains("ids"));
  const auto ids = lines_of(tokenize("{\"ids\": [1.5]}\n{\"ids\": 1}\n", {"--decode"}).out);
  EXPECT_EQ(ids[0]["error"], "\"ids\" holds 1.5, not a token id");
  EXPECT_EQ(ids[1]["error"], "\"ids\" must be a list of token ids");
}

TEST_F(TokenizeCommand, ReadsAndWritesFiles) {
  const std::string in = write("in.jsonl", "{\"text\": \"he\"}");
  const std::string out = (folder_.path() / "out.jsonl").string();
  const ProgramResult result = tokenize("", {"--input", in, "--output", out});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(read_file(out), "{\"ids\":[256],\"spans\":[[0,2]],\"pieces\":[\"he\"]}\n");
  EXPECT_EQ(tokenize("", {"--input", "/nowhere"}).exit_code, 2);
}

TEST_F(TokenizeCommand, RefusesToDecodeAndToGiveSpansAtOnce) {
  const ProgramResult result = tokenize("", {"--decode", "--spans"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("excludes"));
}

TEST_F(TokenizeCommand, WarnsOnceOfASecondBos) {
  auto json = nlohmann::json::parse(read_file(folder_.path() / "tokenizer.json"));
  json["post_processor"] = nlohmann::json::parse(R"({"type": "TemplateProcessing", "single": [
      {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [], "special_tokens": {
      "<|im_start|>": {"id": "<|im_start|>", "ids": [258], "tokens": ["<|im_start|>"]}}})");
  write("tokenizer.json", json.dump());
  write("tokenizer_config.json", R"({"bos_token": "<|im_start|>"})");
  const std::string rendered = R"({"text": "<|im_start|>a", "add_special_tokens": )";
  const ProgramResult twice = tokenize(rendered + "true}\n" + rendered + "true}\n");
  ASSERT_EQ(twice.exit_code, 0) << twice.err;
  EXPECT_EQ(lines_of(twice.out)[1]["ids"], nlohmann::json::parse("[258, 258, 97]"));
  EXPECT_EQ(twice.err,
            "aurum: warning: a text begins with <|im_start|>, and the tokenizer adds another one. "
            "Leave it out of the text, or, for a rendered chat, add no special tokens\n");
  EXPECT_EQ(tokenize(rendered + "false}").err, "");
  EXPECT_EQ(tokenize(R"({"text": "a", "add_special_tokens": true})").err, "");
}

TEST_F(TokenizeCommand, SaysInOneLineWhereAHostileFileIsWrong) {
  const auto expect_refused = [&](const std::string& name, const std::string& content,
                                  const std::string& place) {
    const std::string path = write(name, content);
    const ProgramResult result = tokenize("{\"text\": \"a\"}");
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("aurum: " + path + ": " + place));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  };
  expect_refused("tokenizer_config.json", R"({"added_tokens_decoder": {"5": "x"}})",
                 "/added_tokens_decoder/5");
  expect_refused("tokenizer.json", R"({"model": {"type": "WordLevel"}})", "/model/type");
}

// What is wrong with the metadata of a GGUF file, and what the message must name.
struct BadMetadata {
  GgufBuilder file;
  std::string place;
};

GgufBuilder sentencepiece_file() {
  return GgufBuilder()
      .text("tokenizer.ggml.model", "llama")
      .texts("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "a", "b"});
}

TEST_F(TokenizeCommand, SaysWhichKeyOfHostileGgufMetadataIsWrong) {
  const std::vector<float> scores(5, 0);
  const BadMetadata cases[] = {
      {GgufBuilder().text("tokenizer.ggml.model", "llama"), "there is no tokenizer.ggml.tokens"},
      {GgufBuilder().u32("tokenizer.ggml.model", 3), "tokenizer.ggml.model at byte"},
      {sentencepiece_file()
           .f32s("tokenizer.ggml.scores", scores)
           .i32s("tokenizer.ggml.token_type", {1}),
       "tokenizer.ggml.token_type has 1 entries for 5 tokens"},
      {sentencepiece_file()
           .f32s("tokenizer.ggml.scores", scores)
           .u32("tokenizer.ggml.eos_token_id", 77),
       "tokenizer.ggml.eos_token_id = 77 is not one of its 5 tokens"},
      {sentencepiece_file()
           .f32s("tokenizer.ggml.scores", scores)
           .u32("tokenizer.ggml.eos_token_id", 4294967295U),
       "tokenizer.ggml.eos_token_id = 4294967295 does not fit into 32 bits"},
      {GgufBuilder()
           .text("tokenizer.ggml.model", "gpt2")
           .text("tokenizer.ggml.pre", "qwen2")
           .texts("tokenizer.ggml.tokens", {"a"})
           .texts("tokenizer.ggml.merges", {"a q"}),
       "/model/merges/0"},
      {GgufBuilder().text("tokenizer.huggingface.json", R"({"model": {"type": "X"}})"),
       "tokenizer.huggingface.json: /model/type"},
  };
  for (const BadMetadata& bad : cases) {
    testing_support::TemporaryFolder folder;
    const std::string path = bad.file.write(folder.path() / "model.gguf");
    const ProgramResult result =
        run_aurum({"tokenize", "--tokenizer", path}, "{\"text\": \"a\"}\n");
    EXPECT_EQ(result.exit_code, 2) << bad.place;
    EXPECT_THAT(result.err, HasSubstr(path + ": "));
    EXPECT_THAT(result.err, HasSubstr(bad.place));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

}  // namespace
}  // namespace aurum::cli

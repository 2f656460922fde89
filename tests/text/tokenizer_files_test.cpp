// The files of a tokenizer folder, as hostile as they come: each mistake is a FormatError that
// names the file and the place in it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/support/temporary_folder.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::text {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kGood = R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}})";

// A tokenizer.json that is good, and beside it one file.
std::shared_ptr<const Tokenizer> load_with(const std::string& name, const std::string& content) {
  testing_support::TemporaryFolder folder;
  write_file(folder.path() / "tokenizer.json", kGood);
  write_file(folder.path() / name, content);
  return load_tokenizer(folder.path());
}

std::string error_of(const std::string& name, const std::string& content) {
  try {
    load_with(name, content);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no error";
}

TEST(TokenizerFiles, NamesFileAndPlaceOfEveryMistake) {
  struct Case {
    std::string name, content, place;
  };
  const std::string config = "tokenizer_config.json", main = "tokenizer.json";
  const std::vector<Case> cases = {
      {main, "", "not JSON"},
      {main, R"({"model": {"type": "BPE", "vocab")", "not JSON"},
      {main, std::string(100000, '['), "not JSON"},
      {main, "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"\xFF\": 0}}}", "not JSON"},
      {main, R"({"model": {"type": "WordLevel"}})", "/model/type"},
      {main, R"({"model": {"type": "BPE", "vocab": {"a": 2147483647}, "merges": []}})",
       "/model/vocab"},
      {main, R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}})",
       "/model/merges/0"},
      {config, "[]", "must be a JSON object"},
      {config, "{\"a\":", "not JSON"},
      {config, R"({"added_tokens_decoder": [1]})", "/added_tokens_decoder"},
      {config, R"({"added_tokens_decoder": {"5": "x"}})", "/added_tokens_decoder/5"},
      {config, R"({"added_tokens_decoder": {"5": {"special": true}}})",
       "/added_tokens_decoder/5/content"},
      {config, R"({"added_tokens_decoder": {"5": {"content": "x", "lstrip": 3}}})",
       "/added_tokens_decoder/5/lstrip"},
      {config, R"({"eos_token": 5})", "/eos_token"},
      {config, R"({"eos_token": {"text": "x"}})", "/eos_token/content"},
      {config, R"({"additional_special_tokens": ["x", 5]})", "/additional_special_tokens/1"},
      {config, R"({"extra_special_tokens": {"image_token": 5}})",
       "/extra_special_tokens/image_token"},
      {config, R"({"chat_template": 5})", "/chat_template"},
      {config, R"({"chat_template": [{"name": "default"}]})", "/chat_template/0/template"},
      {"special_tokens_map.json", "[]", "must be a JSON object"},
      {"generation_config.json", "{", "not JSON"},
      {"generation_config.json", R"({"eos_token_id": 1099511627776})",
       "/eos_token_id: 1099511627776 is not a token id"},
      {"generation_config.json", R"({"eos_token_id": [1, "x"]})", "/eos_token_id"},
  };
  for (const Case& bad : cases) {
    const std::string error = error_of(bad.name, bad.content);
    EXPECT_THAT(error, HasSubstr("/" + bad.name + ": " + bad.place)) << bad.content;
    EXPECT_THAT(error, Not(HasSubstr("\n"))) << bad.content;
  }
}

TEST(TokenizerFiles, TakesWhatRealFilesLeaveOpen) {
  const auto tokenizer = load_with("tokenizer_config.json", R"({
      "added_tokens_decoder": {"1": {"content": "<x>", "special": true, "lstrip": null}},
      "eos_token": {"content": "<x>"}, "bos_token": null, "chat_template": null,
      "extra_special_tokens": {}, "model_max_length": -1e300})");
  EXPECT_EQ(tokenizer->special_tokens().eos, 1);
  EXPECT_TRUE(tokenizer->is_special(1));
  const auto ended = load_with("config.json", R"({"eos_token_id": [-1, 0, null]})");
  EXPECT_THAT(ended->special_tokens().end_of_turn, testing::ElementsAre(0));
}

}  // namespace
}  // namespace aurum::text

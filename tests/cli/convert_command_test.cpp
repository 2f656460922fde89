#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/files.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace aurum::cli {
namespace {

using testing::HasSubstr;
using testing_support::ProgramResult;
using testing_support::run_aurum;

class ConvertCommand : public testing::Test {
 protected:
  ConvertCommand() { testing_support::write_tiny_model(path("model")); }

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  ProgramResult convert(const std::string& from, const std::string& to,
                        std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"convert", path(from), path(to)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_aurum(arguments);
  }
  std::string logits_of(const std::string& model) const {
    const ProgramResult result =
        run_aurum({"logits", "--model", path(model), "--output", path("logits")},
                  "{\"ids\": [1, 2, 3, 4]}\n");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return read_file(path("logits"));
  }
  std::string ids_of(const std::string& model) const {
    return run_aurum({"tokenize", "--tokenizer", path(model)},
                     "{\"text\": \"then  the 12 <|im_end|>\", \"add_special_tokens\": true}\n")
        .out;
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(ConvertCommand, GgufAndBackIsTheSameModelAndTokenizer) {
  ASSERT_EQ(convert("model", "model.gguf", {"--type", "f32"}).exit_code, 0);
  ASSERT_EQ(convert("model.gguf", "back", {"--type", "f32"}).exit_code, 0);
  EXPECT_EQ(logits_of("model.gguf"), logits_of("model"));
  EXPECT_EQ(logits_of("back"), logits_of("model"));
  EXPECT_EQ(ids_of("model.gguf"), ids_of("model"));
  EXPECT_EQ(ids_of("back"), ids_of("model"));
}

TEST_F(ConvertCommand, WritesEveryTypeOfFile) {
  for (const char* type : {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_k_m"}) {
    const std::string name = std::string(type) + ".gguf";
    const ProgramResult result = convert("model", name, {"--type", type});
    ASSERT_EQ(result.exit_code, 0) << type << result.err;
    EXPECT_FALSE(logits_of(name).empty());
  }
}

TEST_F(ConvertCommand, RefusesWithOneLineAndLeavesNothing) {
  struct Case {
    std::string to;
    std::vector<std::string> options;
    const char* message;
  };
  write_file(path("taken.gguf"), "x");
  for (const Case& c :
       {Case{"out", {"--type", "q4_0"}, "--format gguf"},
        Case{"out.gguf", {"--type", "q3"}, "q4_k_m"}, Case{"taken.gguf", {}, "--overwrite"},
        Case{"model", {}, "is the model itself"},
        Case{"out", {"--adapter", path("model")}, "no adapter_config.json"}}) {
    const ProgramResult result = convert("model", c.to, c.options);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr(c.message));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_FALSE(std::filesystem::exists(path("out")));
  }
  EXPECT_EQ(read_file(path("taken.gguf")), "x");
}

// Programs that start while this lives cannot write more than `bytes` to a file.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(ConvertCommand, LeavesNothingWhenTheDiskIsFull) {
  std::filesystem::create_directory(path("empty"));
  for (const char* to : {"out", "out.gguf", "empty"}) {
    for (const rlim_t bytes : {600, 2000, 6000}) {  // the message is a file here, too
      const FileSizeLimit limit(bytes);
      const ProgramResult result = convert("model", to);
      EXPECT_EQ(result.exit_code, 2) << to << ' ' << bytes;
      EXPECT_THAT(result.err, HasSubstr("Is the disk full?"));
      EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(path("out")));
  EXPECT_FALSE(std::filesystem::exists(path("out.gguf")));
  EXPECT_TRUE(std::filesystem::is_empty(path("empty")));
}

TEST_F(ConvertCommand, RefusesAFolderForExpertsThatItCannotLayOut) {
  const std::string golden = std::string(AURUM_SOURCE_DIR) + "/tests/golden/model/";
  for (const char* model : {"gpt_oss_gguf.gguf", "gpt_oss_mxfp4"}) {
    const ProgramResult result = run_aurum({"convert", golden + model, path("folder")});
    EXPECT_EQ(result.exit_code, 2) << model;
    EXPECT_THAT(result.err, HasSubstr("gpt_oss models cannot be written as a folder"));
    EXPECT_FALSE(std::filesystem::exists(path("folder")));
  }
  EXPECT_EQ(run_aurum({"convert", golden + "qwen3_moe_gguf.gguf", path("folder")}).exit_code, 0);
}

}  // namespace
}  // namespace aurum::cli

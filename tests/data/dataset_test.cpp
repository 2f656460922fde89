#include "data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/support/temporary_folder.h"

namespace aurum::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
constexpr auto kFirst = MixtureStrategy::kFirstExhausted;

class Dataset : public testing::Test {
 protected:
  // Rows whose completions are the letters of `answers`; a blank makes an empty one.
  DatasetSource source(const std::string& name, const std::string& answers) const {
    std::string text;
    for (const char c : answers) {
      const std::string answer = c == ' ' ? "" : std::string(1, c);
      text += OrderedJson{{"prompt", "p"}, {"completion", answer}}.dump() + "\n";
    }
    write_file(folder_.path() / name, text);
    return {.name = "text_sft_jsonl", .path = (folder_.path() / name).string()};
  }
  static std::string answers(const LoadedExamples& loaded) {
    std::string out;
    for (const Example& example : loaded.examples) out += example.completion_text;
    return out;
  }
  static std::string error_of(const DatasetSource& source) {
    try {
      load_examples({source}, kFirst, 1);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  testing_support::TemporaryFolder folder_;
};

TEST_F(Dataset, ReadsDataSetsOneAfterAnother) {
  EXPECT_EQ(answers(load_examples({source("a.jsonl", "abc"), source("b.jsonl", "de")}, kFirst, 1)),
            "abcde");
}

TEST_F(Dataset, TakesTheFirstRowsOfAShuffledOrPlainDataSet) {
  DatasetSource rows = source("a.jsonl", "abcdefgh");
  rows.sample_count = 3;
  EXPECT_EQ(answers(load_examples({rows}, kFirst, 1)), "abc");
  rows.shuffle = true;
  const std::string shuffled = answers(load_examples({rows}, kFirst, 1));
  EXPECT_EQ(shuffled.size(), 3U);
  EXPECT_EQ(shuffled, answers(load_examples({rows}, kFirst, 1)));
  rows.sample_count = 10;
  rows.shuffle = false;
  EXPECT_EQ(answers(load_examples({rows}, kFirst, 1)), "abcdefghab");
}

TEST_F(Dataset, TakesASliceOfASplit) {
  DatasetSource rows = source("a.jsonl", "abcdefgh");
  rows.split = "train[25%:50%]";
  EXPECT_EQ(answers(load_examples({rows}, kFirst, 1)), "cd");
}

TEST_F(Dataset, CountsSkippedRowsAndNamesTheFirst) {
  const LoadedExamples loaded = load_examples({source("a.jsonl", "a b c")}, kFirst, 1);
  EXPECT_EQ(answers(loaded), "abc");
  EXPECT_EQ(loaded.num_skipped, 2U);
  EXPECT_THAT(loaded.first_skipped, HasSubstr("a.jsonl:2"));
  EXPECT_THAT(error_of(source("b.jsonl", "   ")), HasSubstr("all 3 rows have an empty"));
}

TEST_F(Dataset, MixesByProportion) {
  DatasetSource first = source("a.jsonl", "aaaaaaaaaa");
  DatasetSource second = source("b.jsonl", "bbbbbbbbbb");
  first.proportion = 0.5;
  second.proportion = 0.5;
  const std::string mixed = answers(load_examples({first, second}, kFirst, 5));
  EXPECT_THAT(mixed, HasSubstr("ab"));
  EXPECT_THAT(mixed, HasSubstr("ba"));
}

TEST_F(Dataset, KnowsThePromptsOfOumisAlpacaDataSets) {
  write_file(folder_.path() / "train.json",
             R"([{"instruction": "i", "input": "x", "output": "o"}])");
  DatasetSource alpaca{.name = "yahma/alpaca-cleaned", .path = folder_.path().string()};
  EXPECT_EQ(load_examples({alpaca}, kFirst, 1).examples[0].prompt_messages.size(), 2U);
  alpaca.options = {{"include_system_prompt", false}};
  EXPECT_EQ(load_examples({alpaca}, kFirst, 1).examples[0].prompt_messages[0]["content"],
            "i\n\n### Input:\nx");
  alpaca.name = "text_sft";
  EXPECT_EQ(load_examples({alpaca}, kFirst, 1).examples[0].prompt_messages[0]["content"], "i\n\nx");
}

TEST_F(Dataset, SaysWhatToDoAboutAMissingOne) {
  EXPECT_THAT(error_of({.name = "text_sft", .path = "/no/such/file.jsonl"}),
              HasSubstr("/no/such/file.jsonl: no such file"));
  EXPECT_THAT(error_of({.name = "org/no-such-data-set"}), HasSubstr("set dataset_path"));
}

TEST_F(Dataset, NamesTheBrokenLine) {
  write_file(folder_.path() / "train.jsonl",
             "{\"prompt\": \"a\", \"completion\": \"b\"}\n\n{broken\n");
  EXPECT_THAT(error_of({.name = "x", .path = folder_.path().string()}), HasSubstr("train.jsonl:3"));
}

}  // namespace
}  // namespace aurum::data

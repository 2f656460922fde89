#include "data/dataset_files.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/support/temporary_folder.h"

namespace aurum::data {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DatasetFiles : public testing::Test {
 protected:
  void make(const std::string& name) const {
    make_folder((folder_.path() / name).parent_path());
    write_file(folder_.path() / name, "{}");
  }
  std::vector<std::string> find(const std::string& split,
                                const std::optional<std::string>& subset = std::nullopt) const {
    std::vector<std::string> names;
    for (const std::string& file : dataset_files(folder_.path().string(), split, subset)) {
      names.push_back(fs::relative(file, folder_.path()).string());
    }
    return names;
  }
  testing_support::TemporaryFolder folder_;
};

TEST_F(DatasetFiles, ChoosesBySplitInTheFileName) {
  for (const char* name :
       {"data/train-00001-of-00002.parquet", "data/train-00000-of-00002.parquet",
        "data/validation-00000.parquet", "my_test.jsonl", "README.md", "dataset_infos.json"}) {
    make(name);
  }
  EXPECT_THAT(find("train"), ElementsAre("data/train-00000-of-00002.parquet",
                                         "data/train-00001-of-00002.parquet"));
  EXPECT_THAT(find("val"), ElementsAre("data/validation-00000.parquet"));
  EXPECT_THAT(find("test"), ElementsAre("my_test.jsonl"));
}

TEST_F(DatasetFiles, ChoosesBySplitInTheFolderName) {
  for (const char* name : {"train/a.jsonl.gz", "dev/b.jsonl.zst", "train/.hidden.jsonl"})
    make(name);
  EXPECT_THAT(find("train"), ElementsAre("train/a.jsonl.gz"));
  EXPECT_THAT(find("validation"), ElementsAre("dev/b.jsonl.zst"));
}

TEST_F(DatasetFiles, FilesWithoutASplitAreTrain) {
  make("a.jsonl");
  make("b.json");
  EXPECT_THAT(find("train"), ElementsAre("a.jsonl", "b.json"));
  EXPECT_THROW(find("test"), InputError);
}

TEST_F(DatasetFiles, TakesSplitsOfOtherNames) {
  make("data/train_sft-00000.parquet");
  make("data/test_sft-00000.parquet");
  EXPECT_THAT(find("train_sft"), ElementsAre("data/train_sft-00000.parquet"));
}

TEST_F(DatasetFiles, KeepsToTheSubset) {
  make("en/train.jsonl");
  make("de/train.jsonl");
  EXPECT_THAT(find("train", "de"), ElementsAre("de/train.jsonl"));
}

TEST_F(DatasetFiles, SaysWhichFilesThereAre) {
  make("train.jsonl");
  try {
    find("test");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no file belongs to the split \"test\"; there is train"));
  }
  EXPECT_THROW(dataset_files("/no/such/folder", "train", std::nullopt), IoError);
}

TEST_F(DatasetFiles, FindsHubDataSetsInTheCache) {
  ::setenv("HF_HUB_CACHE", folder_.path().c_str(), 1);
  EXPECT_EQ(find_in_hub_cache("org/name"), std::nullopt);
  make("datasets--org--name/snapshots/abc/data/train.jsonl");
  make("datasets--org--name/snapshots/def/data/train.jsonl");
  write_file(folder_.path() / "x", "");
  make_folder(folder_.path() / "datasets--org--name/refs");
  write_file(folder_.path() / "datasets--org--name/refs/main", "abc");
  EXPECT_THAT(find_in_hub_cache("org/name").value_or(""), HasSubstr("snapshots/abc"));
  EXPECT_EQ(find_in_hub_cache("../name"), std::nullopt);
  ::unsetenv("HF_HUB_CACHE");
}

TEST(SplitSlice, TakesAPartOfASplit) {
  const auto range = [](const char* split) { return parse_split(split).range(200); };
  EXPECT_EQ(range("train"), std::pair(0L, 200L));
  EXPECT_EQ(range("train[:10]"), std::pair(0L, 10L));
  EXPECT_EQ(range("train[-10:]"), std::pair(190L, 200L));
  EXPECT_EQ(range("train[10%:20%]"), std::pair(20L, 40L));
  EXPECT_EQ(range("train[50:10]"), std::pair(50L, 50L));
  EXPECT_EQ(parse_split("train[:10]").name, "train");
  for (const char* bad : {"train[", "train[1]", "train[a:b]", "train[1:2"}) {
    EXPECT_THROW(parse_split(bad), InputError) << bad;
  }
}

}  // namespace
}  // namespace aurum::data

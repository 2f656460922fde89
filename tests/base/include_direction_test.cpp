// Holds the #include lines of src/ against the layers of docs/architecture.md.

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::set<std::string>> kMayUse = {
    {"base", {}},
    {"kernels", {"base"}},
    {"config", {"base"}},
    {"hub", {"base"}},
    {"telemetry", {"base"}},
    {"text", {"base"}},
    {"weights", {"base"}},
    {"data", {"base", "text"}},
    {"model", {"base", "kernels", "weights"}},
    {"rollout", {"base", "kernels", "telemetry", "text", "model", "weights"}},
    {"loss", {"base", "kernels", "text"}},
    {"train",
     {"base", "kernels", "telemetry", "text", "weights", "data", "model", "rollout", "loss"}},
    {"serve", {"base", "kernels", "telemetry", "text", "weights", "model", "rollout"}},
    {"report", {"base", "telemetry"}},
    {"cli",
     {"base", "kernels", "config", "hub", "telemetry", "text", "weights", "data", "model",
      "rollout", "loss", "train", "serve", "report"}},
};

TEST(IncludeDirection, EveryFolderUsesOnlyLowerLayers) {
  int num_includes = 0;
  const fs::path root = fs::path(AURUM_SOURCE_DIR) / "src";
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
    const std::string folder = fs::relative(entry.path(), root).begin()->string();
    ASSERT_TRUE(kMayUse.contains(folder)) << folder << " has no layer";
    std::ifstream stream(entry.path());
    for (std::string line; std::getline(stream, line);) {
      if (line.rfind("#include \"", 0) != 0) continue;
      const std::string used = line.substr(10, line.find('/') - 10);
      if (!kMayUse.contains(used) || used == folder) continue;
      ++num_includes;
      EXPECT_TRUE(kMayUse.at(folder).contains(used)) << entry.path() << ": " << line;
    }
  }
  EXPECT_GT(num_includes, 20);
}

}  // namespace

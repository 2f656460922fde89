#include "config/yaml_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "config/yaml_scalar.h"

namespace aurum::config {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::string& text) {
  try {
    parse_yaml(text, "f");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(YamlTree, TypesPlainScalarsAndLeavesQuotedOnesText) {
  EXPECT_EQ(to_json(parse_yaml("[1, \"1\", yes, 'yes', 1e-4, 0x10, 010, ~, , a b, 1:30]", "f")),
            Json::parse(R"([1, "1", true, "yes", 0.0001, 16, 8, null, null, "a b", "1:30"])"));
}

TEST(YamlTree, RemembersLines) {
  const YamlTree tree = parse_yaml("a:\n  b:\n    - 1\n    - c:\n", "f");
  EXPECT_EQ(tree.find("a")->find("b")->items[1].find("c")->place, "f:4");
}

TEST(YamlTree, MergeKeysAddWhatIsMissing) {
  const YamlTree tree =
      parse_yaml("base: &b {x: 1, y: 2}\nuser: {<<: *b, y: 3}\nlist: {<<: [*b, {z: 4}]}", "f");
  EXPECT_EQ(to_json(*tree.find("user")), Json::parse(R"({"y": 3, "x": 1})"));
  EXPECT_EQ(to_json(*tree.find("list")), Json::parse(R"({"x": 1, "y": 2, "z": 4})"));
}

TEST(YamlTree, RefusesWhatHasTwoMeanings) {
  EXPECT_THAT(error_of("a: 1\na: 2"), HasSubstr("f:2: the key a is there twice"));
  EXPECT_THAT(error_of("a: 1\n---\nb: 2"), HasSubstr("one YAML document"));
  EXPECT_THAT(error_of("1: a"), HasSubstr("f:1: a key must be text"));
  EXPECT_THAT(error_of("a: [1"), HasSubstr("not YAML"));
  EXPECT_THAT(error_of("a: b: c"), HasSubstr("f:1: this is not YAML"));
}

TEST(YamlTree, StopsAtAnchorsThatBlowUp) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) text += before + ", ";
    text += "]\n";
  }
  EXPECT_THAT(error_of(text), HasSubstr("too large"));
  EXPECT_THAT(error_of(std::string(200, '[') + std::string(200, ']')), HasSubstr("too deep"));
}

TEST(YamlScalar, WritesFloatsAsPythonDoes) {
  const std::pair<double, const char*> cases[] = {
      {1e-5, "1e-05"}, {0.0001, "0.0001"},           {1.5, "1.5"},     {2, "2.0"},
      {1e16, "1e+16"}, {1e15, "1000000000000000.0"}, {-0.25, "-0.25"}, {0, "0.0"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(python_text(value), text);
}

TEST(YamlScalar, ReadsNumbersAsPythonDoes) {
  EXPECT_EQ(parse_integer(" 1_000 "), 1000);
  EXPECT_EQ(parse_integer("-7"), -7);
  for (const char* bad : {"", "1.0", "_1", "1_", "1__0", "0x1", "--1", "a"}) {
    EXPECT_EQ(parse_integer(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_float(" .5e1 "), 5.0);
  for (const char* bad : {"", "1e", "0x1p3", "1,5", "- 1", "_1.0"}) {
    EXPECT_EQ(parse_float(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace aurum::config

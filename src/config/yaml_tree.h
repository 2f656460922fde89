#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/values.h"

namespace aurum::config {

// A YAML document as plain values that remember where they come from. Anchors are expanded and
// merge keys (<<) applied.
struct YamlTree {
  enum class Kind { kScalar, kMap, kList };

  Kind kind = Kind::kScalar;
  Json scalar;                                            // null, bool, integer, float or string
  std::string text;                                       // of a scalar, as it was written
  std::vector<std::pair<std::string, YamlTree>> entries;  // kMap
  std::vector<YamlTree> items;                            // kList
  std::string place;                                      // "run.yaml:12" or "command line"

  YamlTree* find(const std::string& key);
  const YamlTree* find(const std::string& key) const;
  bool is_null() const { return kind == Kind::kScalar && scalar.is_null(); }
};

// Parses one document. Scalars are typed as OmegaConf types them (YAML 1.1: yes and off are bools,
// 010 is eight; 1e-4 is a number). Places are "<source>:<line>", or `source` alone when
// `with_lines` is false. Throws ConfigError on bad YAML, a repeated key, more than one document, or
// a document that anchors blow up.
YamlTree parse_yaml(const std::string& text, const std::string& source, bool with_lines = true);

// "null", a quoted scalar, "a list" or "a section", for messages.
std::string describe(const YamlTree& tree);

Json to_json(const YamlTree& tree);

// "data.train.datasets[0].split" or "data.train.datasets.0.split" -> its names and indices. Throws
// ConfigError for an empty step.
std::vector<std::string> split_path(const std::string& path);

// Whether a step is a list index.
bool is_index(const std::string& step);

// The value at a path; nullptr when there is none.
YamlTree* find_path(YamlTree& root, const std::string& path);

// Puts `value` at `path`, making the sections on the way. An index may name an item that is there
// or the one after the last. Throws ConfigError when the path leads through a plain value.
void set_path(YamlTree& root, const std::string& path, YamlTree value);

}  // namespace aurum::config

#include "config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/error.h"
#include "config/yaml_scalar.h"

namespace aurum::config {

namespace {

constexpr int kMaxDepth = 64;
constexpr std::int64_t kMaxNodes = 100'000;  // aliases make a small file large

class TreeBuilder {
 public:
  TreeBuilder(const std::string& source, bool with_lines)
      : source_(source), with_lines_(with_lines) {}

  YamlTree build(const YAML::Node& node, const std::string& place, int depth = 0) {
    if (depth > kMaxDepth || ++num_nodes_ > kMaxNodes) {
      throw ConfigError(
          fmt::format("{}: too deep or too large for a configuration: at most {} "
                      "levels and {} values",
                      place, kMaxDepth, kMaxNodes));
    }
    YamlTree tree{.place = place};
    if (node.IsMap()) {
      tree.kind = YamlTree::Kind::kMap;
      for (const auto& item : node) add_entry(tree, item.first, item.second, depth);
      apply_merge_keys(tree);
    } else if (node.IsSequence()) {
      tree.kind = YamlTree::Kind::kList;
      for (const auto& item : node) tree.items.push_back(build(item, place_of(item), depth + 1));
    } else if (node.IsScalar()) {
      tree.text = node.Scalar();
      const bool is_plain = node.Tag() == "?" || node.Tag().empty();
      tree.scalar = is_plain ? type_plain_scalar(tree.text) : Json(tree.text);
    }
    return tree;
  }

  std::string place_of(const YAML::Node& node) const { return place_at(node.Mark()); }
  std::string place_at(const YAML::Mark& mark) const {
    return with_lines_ && !mark.is_null() ? fmt::format("{}:{}", source_, mark.line + 1) : source_;
  }

 private:
  void add_entry(YamlTree& map, const YAML::Node& key, const YAML::Node& value, int depth) {
    const std::string place = place_of(key);
    if (!key.IsScalar() || (key.Tag() == "?" && !type_plain_scalar(key.Scalar()).is_string())) {
      throw ConfigError(fmt::format("{}: a key must be text; put it in quotes", place));
    }
    if (key.Scalar() != "<<" && map.find(key.Scalar()) != nullptr) {
      throw ConfigError(
          fmt::format("{}: the key {} is there twice; delete one of them", place, key.Scalar()));
    }
    map.entries.emplace_back(key.Scalar(), build(value, place, depth + 1));
  }

  // `<<: section` or `<<: [section, section]` adds the keys that are not there.
  static void apply_merge_keys(YamlTree& map) {
    for (std::size_t i = 0; i < map.entries.size();) {
      if (map.entries[i].first != "<<") {
        ++i;
        continue;
      }
      const YamlTree merged = std::move(map.entries[i].second);
      map.entries.erase(map.entries.begin() + static_cast<std::ptrdiff_t>(i));
      if (merged.kind == YamlTree::Kind::kList) {
        for (const YamlTree& item : merged.items) add_missing(map, item);
      } else {
        add_missing(map, merged);
      }
    }
  }
  static void add_missing(YamlTree& map, const YamlTree& from) {
    if (from.kind != YamlTree::Kind::kMap) {
      throw ConfigError(fmt::format("{}: << must name a section or a list of them", from.place));
    }
    for (const auto& [key, value] : from.entries) {
      if (map.find(key) == nullptr) map.entries.emplace_back(key, value);
    }
  }

  const std::string& source_;
  bool with_lines_;
  std::int64_t num_nodes_ = 0;
};

// The child that a step of a path names, made when it is missing.
YamlTree& child_of(YamlTree& node, const std::string& step, const std::string& path,
                   const std::string& place) {
  const auto fail = [&](const std::string& what) -> YamlTree& {
    throw ConfigError(fmt::format("{}: {}: {}", place, path, what));
  };
  if (node.is_null()) {
    node.kind = is_index(step) ? YamlTree::Kind::kList : YamlTree::Kind::kMap;
    node.place = place;
  }
  if (node.kind == YamlTree::Kind::kScalar) {
    return fail(fmt::format("{} is below a plain value", step));
  }
  if (node.kind == YamlTree::Kind::kMap) {
    if (YamlTree* found = node.find(step)) return *found;
    return node.entries.emplace_back(step, YamlTree{.place = place}).second;
  }
  if (!is_index(step)) return fail(fmt::format("{} is a list; write an index", step));
  const std::size_t index = std::stoul(step);
  if (index > node.items.size()) {
    return fail(fmt::format("the list has {} items, so [{}] is too far", node.items.size(), step));
  }
  if (index == node.items.size()) node.items.push_back({.place = place});
  return node.items[index];
}

}  // namespace

YamlTree* YamlTree::find(const std::string& key) {
  for (auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

const YamlTree* YamlTree::find(const std::string& key) const {
  return const_cast<YamlTree*>(this)->find(key);
}

YamlTree parse_yaml(const std::string& text, const std::string& source, bool with_lines) {
  TreeBuilder builder(source, with_lines);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) {
      throw ConfigError(fmt::format("{}: one YAML document is expected, found {}",
                                    builder.place_of(documents[1]), documents.size()));
    }
    if (documents.empty()) return {.place = source};
    return builder.build(documents[0], builder.place_of(documents[0]));
  } catch (const YAML::Exception& error) {
    throw ConfigError(
        fmt::format("{}: this is not YAML: {}", builder.place_at(error.mark), error.msg));
  }
}

std::string describe(const YamlTree& tree) {
  if (tree.kind == YamlTree::Kind::kMap) return "a section";
  if (tree.kind == YamlTree::Kind::kList) return "a list";
  if (tree.scalar.is_null()) return "null";
  return tree.scalar.is_string() ? "\"" + tree.scalar.get<std::string>() + "\"" : tree.text;
}

Json to_json(const YamlTree& tree) {
  if (tree.kind == YamlTree::Kind::kScalar) return tree.scalar;
  Json json = tree.kind == YamlTree::Kind::kMap ? Json::object() : Json::array();
  for (const auto& [key, value] : tree.entries) json[key] = to_json(value);
  for (const YamlTree& item : tree.items) json.push_back(to_json(item));
  return json;
}

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> steps(1);
  for (const char c : path) {
    if (c == '.' || c == '[') {
      steps.emplace_back();
    } else if (c != ']') {
      steps.back() += c;
    }
  }
  for (const std::string& step : steps) {
    if (step.empty()) {
      throw ConfigError(fmt::format("{}: not a key such as training.gold.beta", path));
    }
  }
  return steps;
}

bool is_index(const std::string& step) {
  return !step.empty() && step.size() <= 6 &&
         step.find_first_not_of("0123456789") == std::string::npos;
}

YamlTree* find_path(YamlTree& root, const std::string& path) {
  YamlTree* found = &root;
  for (const std::string& step : split_path(path)) {
    if (found->kind == YamlTree::Kind::kMap) {
      found = found->find(step);
    } else if (is_index(step) && std::stoul(step) < found->items.size()) {
      found = &found->items[std::stoul(step)];
    } else {
      found = nullptr;
    }
    if (found == nullptr) return nullptr;
  }
  return found;
}

void set_path(YamlTree& root, const std::string& path, YamlTree value) {
  YamlTree* node = &root;
  for (const std::string& step : split_path(path)) node = &child_of(*node, step, path, value.place);
  *node = std::move(value);
}

}  // namespace aurum::config

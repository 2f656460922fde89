#include "config/section_reader.h"

#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "config/value_reader.h"

namespace aurum::config {

namespace {

std::string join_path(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

// Every key of the whole configuration by the last part of its path, for suggestions; of equal
// names those that act come first.
const std::multimap<std::string, std::string>& keys_by_name() {
  static const auto keys = [] {
    std::multimap<std::string, std::string> by_name;
    TrainingConfig config;
    for (const bool acting : {true, false}) {
      const auto add = [&](const std::string& path, const Entry& entry) {
        const bool acts = entry.field.effect == Effect::kActs;
        if (acts == acting) by_name.emplace(entry.name, path);
      };
      for_each_key(bind(config), add, true);
    }
    return by_name;
  }();
  return keys;
}

std::string suggestion(const std::string& prefix, const std::string& name, const Section& section) {
  std::vector<std::string> names;
  for (const Entry& entry : section.entries) names.push_back(entry.name);
  const std::string near = nearest_word(name, names);
  if (!near.empty()) return join_path(prefix, near);
  const auto elsewhere = keys_by_name().equal_range(name);
  if (elsewhere.first != elsewhere.second) return elsewhere.first->second;
  std::vector<std::string> all;
  for (const auto& [last, path] : keys_by_name()) all.push_back(last);
  const auto found = keys_by_name().find(nearest_word(name, all));
  return found == keys_by_name().end() ? "" : found->second;
}

class SectionReader {
 public:
  explicit SectionReader(std::vector<SetKey>& set_keys) : set_keys_(set_keys) {}

  void read(const YamlTree& tree, const Section& section, const std::string& prefix) {
    if (tree.kind != YamlTree::Kind::kMap) {
      throw ConfigError(fmt::format("{}: {} must be a section with keys of its own, found {}",
                                    tree.place, prefix.empty() ? "the file" : prefix,
                                    describe(tree)));
    }
    for (const auto& [name, value] : tree.entries) {
      const Entry* entry = section.find(name);
      if (entry == nullptr) refuse_unknown(value, section, prefix, name);
      if (entry->name != name && tree.find(entry->name) != nullptr) {
        throw ConfigError(fmt::format("{}: {} and {} are two names of one key; delete one",
                                      value.place, join_path(prefix, name), entry->name));
      }
      read_entry(value, *entry, join_path(prefix, entry->name));
    }
  }

 private:
  void read_entry(const YamlTree& value, const Entry& entry, const std::string& path) {
    switch (entry.kind) {
      case Entry::Kind::kLeaf:
        read_value(value, path, entry);
        set_keys_.push_back({path, value.place});
        // The arguments in a mapping have places of their own.
        for (const auto& [name, part] : value.entries) {
          set_keys_.push_back({path + "." + name, part.place});
        }
        return;
      case Entry::Kind::kSection:
        return read(value, entry.section(), path);
      case Entry::Kind::kList:
        return read_list(value, entry, path);
      case Entry::Kind::kOptionalSection:
        entry.resize(value.is_null() ? 0 : 1);
        if (!value.is_null()) read(value, entry.item(0), path);
        return;
    }
  }

  void read_list(const YamlTree& value, const Entry& entry, const std::string& path) {
    if (value.kind != YamlTree::Kind::kList) {
      throw ConfigError(
          fmt::format("{}: {} must be a list of sections (\"- key: value\"), found {}", value.place,
                      path, describe(value)));
    }
    entry.resize(value.items.size());
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      const std::string item_path = fmt::format("{}[{}]", path, i);
      const Section item = entry.item(i);
      read(value.items[i], item, item_path);
      for (const Entry& part : item.entries) {
        const YamlTree* given = value.items[i].find(part.name);
        if (!part.field.is_required || (given != nullptr && !given->text.empty())) continue;
        throw ConfigError(fmt::format("{}: {}.{} is missing: {}", value.items[i].place, item_path,
                                      part.name, part.field.help));
      }
    }
  }

  [[noreturn]] static void refuse_unknown(const YamlTree& value, const Section& section,
                                          const std::string& prefix, const std::string& name) {
    const std::string near = suggestion(prefix, name, section);
    throw ConfigError(
        fmt::format("{}: {} is no key{}", value.place, join_path(prefix, name),
                    near.empty() ? "; docs/config.md lists them" : "; did you mean " + near + "?"));
  }

  std::vector<SetKey>& set_keys_;
};

}  // namespace

void read_section(const YamlTree& tree, const Section& section, std::vector<SetKey>& set_keys) {
  SectionReader(set_keys).read(tree, section, "");
}

void read_key(const YamlTree& tree, const std::string& path, const std::string& shown_as,
              TrainingConfig& config) {
  for_each_key(bind(config), [&](const std::string& key, const Entry& entry) {
    if (key == path) read_value(tree, shown_as, entry);
  });
}

Json value_at(const TrainingConfig& config, const std::string& path) {
  TrainingConfig copy = config;  // binding wants a mutable object
  Json value;
  for_each_key(bind(copy), [&](const std::string& key, const Entry& entry) {
    if (key == path) value = to_json(entry.leaf);
  });
  return value;
}

}  // namespace aurum::config

#include "config/value_reader.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "config/yaml_scalar.h"

namespace aurum::config {

namespace {

constexpr std::string_view kOrNull = " or null";

std::string lowercase(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Converts one value, or says by throwing why it cannot.
class ValueReader {
 public:
  ValueReader(const YamlTree& tree, const std::string& path, const Entry& entry)
      : tree_(tree), path_(path), entry_(entry) {}

  void operator()(std::monostate) const {}

  template <typename T>
  void operator()(std::optional<T>* member) const {
    if (tree_.is_null()) {
      member->reset();
      return;
    }
    T value = member->value_or(T{});
    (*this)(&value);
    *member = std::move(value);
  }

  void operator()(bool* member) const {
    const Json& value = tree_.scalar;
    if (value.is_boolean()) {
      *member = value.get<bool>();
      return;
    }
    const std::string word = lowercase(word_or_number());
    const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
      return std::find(words.begin(), words.end(), word) != words.end();
    };
    *member = is_one_of({"true", "yes", "y", "on", "1"});
    if (!*member && !is_one_of({"false", "no", "n", "off", "0"})) fail();
  }

  void operator()(std::int64_t* member) const {
    const Json& value = tree_.scalar;
    std::optional<std::int64_t> number;
    if (value.is_number_integer()) number = value.get<std::int64_t>();
    if (value.is_string()) number = parse_integer(value.get<std::string>());
    if (!number) fail();
    *member = *number;
    check_range(static_cast<double>(*number));
  }

  void operator()(double* member) const {
    const Json& value = tree_.scalar;
    std::optional<double> number;
    if (value.is_number()) number = value.get<double>();
    if (value.is_string()) number = parse_float(value.get<std::string>());
    if (!number) fail();
    *member = *number;
    check_range(*number);
  }

  void operator()(StepsOrShare* member) const {
    if (!tree_.scalar.is_number()) fail();
    member->value = tree_.scalar.get<double>();
    const bool is_share = member->value > 0 && member->value < 1;
    if (tree_.scalar.is_number_float() && !is_share) fail();
    check_range(member->value);
  }

  void operator()(std::string* member) const {
    if (!is_value()) fail();
    *member = python_text(tree_.scalar);
    if (entry_.field.choices.empty()) return;
    // YAML reads an unquoted no as false; among choices it means the word.
    *member = choice(tree_.scalar == false ? "no" : *member);
  }

  void operator()(Texts* member) const {
    if (tree_.kind != YamlTree::Kind::kList) fail();
    member->clear();
    for (const YamlTree& item : tree_.items) {
      if (item.kind != YamlTree::Kind::kScalar || item.is_null()) fail();
      member->push_back(python_text(item.scalar));
    }
  }

  void operator()(Mapping* member) const {
    if (tree_.kind != YamlTree::Kind::kMap) fail();
    for (const auto& [key, value] : tree_.entries) {
      // "dtype" is the newer name of "torch_dtype": it takes the default's
      // place.
      if (key == "dtype") member->entries.erase("torch_dtype");
      if (key == "torch_dtype") member->entries.erase("dtype");
      merge(member->entries[key], value);
    }
  }

  void operator()(CountOrWord* member) const {
    if (!tree_.scalar.is_number_integer() && !tree_.scalar.is_string()) fail();
    member->value = tree_.scalar;
  }

 private:
  bool is_value() const { return tree_.kind == YamlTree::Kind::kScalar && !tree_.is_null(); }

  std::string word_or_number() const {
    if (tree_.scalar.is_string()) return tree_.scalar.get<std::string>();
    return tree_.scalar.is_number_integer() ? tree_.scalar.dump() : "";
  }

  // As OmegaConf merges: maps key by key, everything else is replaced.
  static void merge(Json& into, const YamlTree& from) {
    if (from.kind != YamlTree::Kind::kMap || !into.is_object()) {
      into = to_json(from);
      return;
    }
    for (const auto& [key, value] : from.entries) merge(into[key], value);
  }

  std::string choice(const std::string& written) const {
    // "TrainerType.TRL_GOLD" is how Python prints an enumerator.
    const std::string word = lowercase(written.substr(written.rfind('.') + 1));
    for (const Choice& choice : entry_.field.choices) {
      for (const std::string_view form : {choice.name, choice.also, choice.or_also}) {
        if (!form.empty() && lowercase(form) == word) return std::string(choice.name);
      }
    }
    fail();
  }

  void check_range(double value) const {
    const Range& range = entry_.field.range;
    const bool above = range.min_is_open ? value > range.min : value >= range.min;
    const bool below = range.max_is_open ? value < range.max : value <= range.max;
    if (!above || !below || !std::isfinite(value)) fail();
  }

  [[noreturn]] void fail() const {
    throw ConfigError(fmt::format("{}: {} must be {}, found {}", tree_.place, path_,
                                  expectation(entry_), describe(tree_)));
  }

  const YamlTree& tree_;
  const std::string& path_;
  const Entry& entry_;
};

}  // namespace

void read_value(const YamlTree& tree, const std::string& path, const Entry& entry) {
  std::visit(ValueReader(tree, path, entry), entry.leaf);
}

std::string range_text(const Range& range) {
  const bool has_min = std::isfinite(range.min);
  const bool has_max = std::isfinite(range.max);
  if (!has_min && !has_max) return "";
  if (!has_max) return fmt::format(" {} {}", range.min_is_open ? ">" : ">=", range.min);
  return fmt::format(" in {}{}, {}{}", range.min_is_open ? "(" : "[", range.min, range.max,
                     range.max_is_open ? ")" : "]");
}

std::string expectation(const Entry& entry) {
  std::string text = type_name(entry);
  const bool or_null = text.ends_with(kOrNull);
  if (or_null) text.resize(text.size() - kOrNull.size());
  if (!entry.field.choices.empty()) {
    std::vector<std::string_view> names;
    for (const Choice& choice : entry.field.choices) names.push_back(choice.name);
    text = fmt::format("one of {}", fmt::join(names, ", "));
  } else {
    text += range_text(entry.field.range);
    if (!entry.field.unit.empty()) text = fmt::format("{} ({})", text, entry.field.unit);
  }
  return or_null ? text + std::string(kOrNull) : text;
}

}  // namespace aurum::config

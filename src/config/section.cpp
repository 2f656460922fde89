#include "config/section.h"

namespace aurum::config {

namespace {

Json value_to_json(const Mapping& mapping) { return mapping.entries; }
Json value_to_json(const CountOrWord& value) { return value.value; }
Json value_to_json(const StepsOrShare& steps) {
  const auto whole = static_cast<std::int64_t>(steps.value);
  if (static_cast<double>(whole) == steps.value) return whole;
  return steps.value;
}
template <typename T>
Json value_to_json(const T& value) {
  return value;
}
template <typename T>
Json value_to_json(const std::optional<T>& value) {
  return value ? value_to_json(*value) : Json(nullptr);
}

struct TypeName {
  std::string operator()(std::monostate) const { return "section"; }
  std::string operator()(const bool*) const { return "true or false"; }
  std::string operator()(const std::int64_t*) const { return "a whole number"; }
  std::string operator()(const double*) const { return "a number"; }
  std::string operator()(const std::string*) const { return "text"; }
  std::string operator()(const Texts*) const { return "a list of text"; }
  std::string operator()(const Mapping*) const { return "a mapping"; }
  std::string operator()(const CountOrWord*) const { return "a whole number or text"; }
  std::string operator()(const StepsOrShare*) const { return "a whole number or fraction"; }
  template <typename T>
  std::string operator()(const std::optional<T>*) const {
    return (*this)(static_cast<const T*>(nullptr)) + " or null";
  }
};

}  // namespace

const Entry* Section::find(const std::string& name) const {
  for (const Entry& entry : entries) {
    if (entry.name == name || (!entry.field.alias.empty() && entry.field.alias == name)) {
      return &entry;
    }
  }
  return nullptr;
}

void for_each_key(const Section& section, const KeyVisitor& visit, bool one_sample,
                  const std::string& prefix) {
  for (const Entry& entry : section.entries) {
    const std::string path = prefix.empty() ? entry.name : prefix + "." + entry.name;
    const bool is_list = entry.kind == Entry::Kind::kList;
    if (entry.kind == Entry::Kind::kLeaf) {
      visit(path, entry);
    } else if (entry.kind == Entry::Kind::kSection) {
      for_each_key(entry.section(), visit, one_sample, path);
    } else if (one_sample) {
      entry.sample([&](const Section& sample) {
        for_each_key(sample, visit, one_sample, is_list ? path + "[]" : path);
      });
    } else {
      for (std::size_t i = 0; i < entry.size(); ++i) {
        const std::string index = is_list ? "[" + std::to_string(i) + "]" : "";
        for_each_key(entry.item(i), visit, one_sample, path + index);
      }
    }
  }
}

Json to_json(const Leaf& leaf) {
  return std::visit(
      [](const auto& member) -> Json {
        if constexpr (std::is_pointer_v<std::decay_t<decltype(member)>>) {
          return value_to_json(*member);
        } else {
          return nullptr;
        }
      },
      leaf);
}

Json to_json(const Section& section) {
  Json object = Json::object();
  for (const Entry& entry : section.entries) {
    Json& value = object[entry.name];
    if (entry.kind == Entry::Kind::kLeaf) {
      value = to_json(entry.leaf);
    } else if (entry.kind == Entry::Kind::kSection) {
      value = to_json(entry.section());
    } else {
      Json items = Json::array();
      for (std::size_t i = 0; i < entry.size(); ++i) items.push_back(to_json(entry.item(i)));
      if (entry.kind == Entry::Kind::kList) {
        value = std::move(items);
      } else if (!items.empty()) {
        value = items[0];
      }
    }
  }
  return object;
}

std::string type_name(const Entry& entry) { return std::visit(TypeName{}, entry.leaf); }

}  // namespace aurum::config

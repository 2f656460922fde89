#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "config/field.h"
#include "config/values.h"

namespace aurum::config {

// A pointer to the member that holds a key's value.
using Leaf =
    std::variant<std::monostate, bool*, std::int64_t*, double*, std::string*, Texts*, Mapping*,
                 CountOrWord*, StepsOrShare*, std::optional<bool>*, std::optional<std::int64_t>*,
                 std::optional<double>*, std::optional<std::string>*, std::optional<Texts>*,
                 std::optional<Mapping>*, std::optional<CountOrWord>*>;

struct Section;

// One name of a section: a key with a value, a section of its own, or a list of sections. An
// optional section is a list of at most one item that is written without an index.
struct Entry {
  enum class Kind { kLeaf, kSection, kList, kOptionalSection };

  std::string name;
  Kind kind = Kind::kLeaf;
  Field field;
  Leaf leaf;
  std::function<Section()> section;          // kSection
  std::function<std::size_t()> size;         // kList, kOptionalSection
  std::function<void(std::size_t)> resize;   // kList, kOptionalSection
  std::function<Section(std::size_t)> item;  // kList, kOptionalSection
  std::function<void(const std::function<void(const Section&)>&)> sample;  // one with defaults
};

// The names of one struct in the order of its field list, bound to one object, which outlives this.
struct Section {
  std::vector<Entry> entries;

  const Entry* find(const std::string& name) const;
};

template <typename Struct>
Section bind(Struct& object);

// The visitor that a struct's field list is called with.
class Binder {
 public:
  template <typename Member>
  void operator()(const char* name, Member& member, const Field& field = {}) {
    if constexpr (std::is_constructible_v<Leaf, Member*>) {
      section_.entries.push_back({.name = name, .field = field, .leaf = Leaf(&member)});
    } else {
      add(name, member, field);
    }
  }
  Section take() { return std::move(section_); }

 private:
  template <typename Struct>
  void add(const char* name, Struct& member, const Field& field) {
    section_.entries.push_back(
        {.name = name, .kind = Entry::Kind::kSection, .field = field, .section = [&member] {
           return bind(member);
         }});
  }

  template <typename Struct>
  void add(const char* name, std::vector<Struct>& list, const Field& field) {
    section_.entries.push_back({.name = name,
                                .kind = Entry::Kind::kList,
                                .field = field,
                                .size = [&list] { return list.size(); },
                                .resize = [&list](std::size_t size) { list.resize(size); },
                                .item = [&list](std::size_t i) { return bind(list.at(i)); },
                                .sample = visit_sample<Struct>});
  }

  template <typename Struct>
  void add(const char* name, std::optional<Struct>& member, const Field& field) {
    const auto resize = [&member](std::size_t size) {
      if (size == 0) {
        member.reset();
      } else if (!member) {
        member.emplace();
      }
    };
    section_.entries.push_back({.name = name,
                                .kind = Entry::Kind::kOptionalSection,
                                .field = field,
                                .size = [&member] { return std::size_t{member ? 1U : 0U}; },
                                .resize = resize,
                                .item = [&member](std::size_t) { return bind(*member); },
                                .sample = visit_sample<Struct>});
  }

  template <typename Struct>
  static void visit_sample(const std::function<void(const Section&)>& visit) {
    Struct object;
    visit(bind(object));
  }

  Section section_;
};

template <typename Struct>
Section bind(Struct& object) {
  Binder binder;
  Struct::fields(object, binder);
  return binder.take();
}

// Calls `visit` with the full path of every key that has a value, in order. Lists and optional
// sections give their present items ("datasets[0].split"), or, with `one_sample`, one item with
// defaults ("datasets[].split").
using KeyVisitor = std::function<void(const std::string& path, const Entry& entry)>;
void for_each_key(const Section& section, const KeyVisitor& visit, bool one_sample = false,
                  const std::string& prefix = "");

// The value of a key as JSON; null where it is unset.
Json to_json(const Leaf& leaf);
Json to_json(const Section& section);

// "text", "a number or null", ...
std::string type_name(const Entry& entry);

}  // namespace aurum::config

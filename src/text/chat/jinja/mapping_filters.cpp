// Filters on mappings and on the attributes of objects.

#include <algorithm>

#include <fmt/format.h>

#include "text/chat/jinja/access.h"
#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/filters.h"
#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/methods.h"

namespace aurum::text::jinja {

namespace {

using Bound = const BoundArguments&;

Value items(const Value& input, Bound) {
  if (input.is_undefined()) return Value::iterator({}, "generator");
  if (input.dict() == nullptr) fail("Can only get item pairs from a mapping.");
  std::vector<Value> pairs;
  for (const auto& [key, value] : input.dict()->entries())
    pairs.push_back(Value::tuple({key, value}));
  return Value::iterator(std::move(pairs), "generator");
}

Value sort_entries(const Value& input, Bound a) {
  if (input.is_undefined()) fail(input.undefined_reason());
  if (input.dict() == nullptr) {
    fail(fmt::format("dictsort wants a mapping, not {}", input.type_name()));
  }
  const bool case_sensitive = a.flag(0, false), descending = a.flag(2, false);
  const std::string by = a.find(1) != nullptr ? a.text(1) : "key";
  if (by != "key" && by != "value") fail("You can only sort by either \"key\" or \"value\"");
  struct Keyed {
    Value key, pair;
  };
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : input.dict()->entries()) {
    const Value& chosen = by == "key" ? key : value;
    keyed.push_back({case_sensitive ? chosen : ignore_case(chosen), Value::tuple({key, value})});
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& x, const Keyed& y) {
    count_step();
    return descending ? is_less(y.key, x.key) : is_less(x.key, y.key);
  });
  std::vector<Value> pairs;
  for (Keyed& entry : keyed) pairs.push_back(std::move(entry.pair));
  return Value::list(std::move(pairs));
}

struct Group {
  Value key, shown_key;
  std::vector<Value> items;
};

Value group_by(const Value& input, Bound a) {
  const AttributePath path(a.find(0));
  const Value* otherwise = a.is_given(1) ? a.find(1) : nullptr;
  const bool case_sensitive = a.flag(2, false);
  std::vector<Group> entries;
  for (const Value& item : items_of(input)) {
    const Value key = path.read(item, otherwise);
    entries.push_back({case_sensitive ? key : ignore_case(key), key, {item}});
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Group& x, const Group& y) {
    count_step();
    return is_less(x.key, y.key);
  });
  std::vector<Group> groups;
  for (Group& entry : entries) {
    if (!groups.empty() && are_equal(groups.back().key, entry.key)) {
      groups.back().items.push_back(std::move(entry.items[0]));
    } else {
      groups.push_back(std::move(entry));
    }
  }
  std::vector<Value> out;
  for (Group& group : groups) {
    out.push_back(make_sequence({group.shown_key, Value::list(std::move(group.items))},
                                Sequence::Form::kGroup));
  }
  return Value::list(std::move(out));
}

Value attribute(const Value& input, Bound a) {
  if (input.is_undefined()) fail(input.undefined_reason());
  const auto found = input.object() != nullptr ? input.object()->attribute(a.text(0))
                                               : method_of(input, a.text(0));
  if (found) return *found;
  return Value::undefined(
      fmt::format("'{} object' has no attribute '{}'", input.type_name(), a.text(0)));
}

const Filter kFilters[] = {
    {"attr", {{"name"}, 1}, attribute},
    {"dictsort", {{"case_sensitive", "by", "reverse"}, 0}, sort_entries},
    {"groupby", {{"attribute", "default", "case_sensitive"}, 1}, group_by},
    {"items", {}, items},
};

}  // namespace

const Filter* find_mapping_filter(std::string_view name) { return find_in(kFilters, name); }

}  // namespace aurum::text::jinja

// Filters on the items of a list, or of anything else that can be looped over.

#include <algorithm>

#include <fmt/format.h>

#include "text/chat/jinja/access.h"
#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/filters.h"
#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/predicates.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

namespace {

using Bound = const BoundArguments&;

Value list(const Value& input, Bound) { return Value::list(items_of(input)); }

Value first(const Value& input, Bound) {
  auto item = Cursor(input).next();
  return item ? *item : Value::undefined("No first item, sequence was empty.");
}

bool is_reversible(const Value& value) {
  return value.sequence() != nullptr || value.dict() != nullptr || value.text() != nullptr ||
         value.range() != nullptr;
}

Value last(const Value& input, Bound) {
  if (input.is_undefined()) return Value::undefined("No last item, sequence was empty.");
  if (!is_reversible(input)) fail(fmt::format("'{}' object is not reversible", input.type_name()));
  if (input.text() != nullptr || input.range() != nullptr || input.is_list() || input.is_tuple()) {
    const auto length = length_of(input);
    if (*length == 0) return Value::undefined("No last item, sequence was empty.");
    return item_of(input, Value(*length - 1));
  }
  const std::vector<Value> items = items_of(input);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value reverse(const Value& input, Bound) {
  if (const Text* text = input.text()) {
    const std::int64_t size = count_characters(text->bytes);
    return Value::make_text(take_characters(text->bytes, size - 1, -1, size), text->is_markup);
  }
  if (!is_iterable(input)) fail("argument must be iterable");
  std::vector<Value> items = items_of(input);
  std::reverse(items.begin(), items.end());
  // Python can walk backwards over lists, but has to make a list of an iterator first.
  if (is_reversible(input)) return Value::iterator(std::move(items), "list_reverseiterator");
  return Value::list(std::move(items));
}

struct Keyed {
  Value key, item;
};

std::vector<Value> sorted(std::vector<Keyed> keyed, bool descending) {
  // Equal items keep their order, also when the order is reversed.
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
    count_step();
    return descending ? is_less(b.key, a.key) : is_less(a.key, b.key);
  });
  std::vector<Value> out;
  out.reserve(keyed.size());
  for (Keyed& entry : keyed) out.push_back(std::move(entry.item));
  return out;
}

// The keys of sort(attribute="a,b"), one path each.
std::vector<AttributePath> paths_of(const Value* attribute) {
  std::vector<AttributePath> paths;
  if (attribute == nullptr || attribute->text() == nullptr) {
    paths.emplace_back(attribute);
    return paths;
  }
  for (const std::string& part : split(attribute->text()->bytes, ",", -1)) {
    const Value path(part);
    paths.emplace_back(&path);
  }
  return paths;
}

Value sort(const Value& input, Bound a) {
  const bool case_sensitive = a.flag(1, false);
  const std::vector<AttributePath> paths = paths_of(a.find(2));
  std::vector<Keyed> keyed;
  for (const Value& item : items_of(input)) {
    std::vector<Value> key;
    for (const AttributePath& path : paths) {
      const Value part = path.read(item);
      key.push_back(case_sensitive ? part : ignore_case(part));
    }
    keyed.push_back({Value::list(std::move(key)), item});
  }
  return Value::list(sorted(std::move(keyed), a.flag(0, false)));
}

Value unique(const Value& input, Bound a) {
  const bool case_sensitive = a.flag(0, false);
  const AttributePath path(a.find(1));
  Dict seen;
  std::vector<Value> out;
  for (const Value& item : items_of(input)) {
    const Value value = path.read(item);
    const Value key = case_sensitive ? value : ignore_case(value);
    if (seen.find(key) != nullptr) continue;
    seen.set(key, true);
    out.push_back(item);
  }
  return Value::iterator(std::move(out), "generator");
}

template <bool kLargest>
Value extreme(const Value& input, Bound a) {
  const bool case_sensitive = a.flag(0, false);
  const AttributePath path(a.find(1));
  std::optional<Keyed> best;
  for (const Value& item : items_of(input)) {
    const Value value = path.read(item);
    Keyed entry{case_sensitive ? value : ignore_case(value), item};
    if (!best || (kLargest ? is_less(best->key, entry.key) : is_less(entry.key, best->key))) {
      best = std::move(entry);
    }
  }
  return best ? best->item : Value::undefined("No aggregated item, sequence was empty.");
}

Value batch(const Value& input, Bound a) {
  const std::int64_t size = a.integer(0);
  std::vector<Value> rows, row;
  for (const Value& item : items_of(input)) {
    if (static_cast<std::int64_t>(row.size()) == size)
      rows.push_back(Value::list(std::exchange(row, {})));
    row.push_back(item);
  }
  const std::int64_t missing = size - static_cast<std::int64_t>(row.size());
  if (!row.empty() && a.is_given(1) && missing > 0) {
    check_memory(static_cast<std::size_t>(missing), sizeof(Value));
    row.insert(row.end(), static_cast<std::size_t>(missing), a.at(1));
  }
  if (!row.empty()) rows.push_back(Value::list(std::move(row)));
  return Value::iterator(std::move(rows), "generator");
}

Value slice(const Value& input, Bound a) {
  const std::vector<Value> items = items_of(input);
  const std::int64_t slices = a.integer(0), size = static_cast<std::int64_t>(items.size());
  if (slices == 0) fail("integer modulo by zero");
  const std::int64_t each = size / slices, with_extra = size % slices;
  std::vector<Value> out;
  std::int64_t begin = 0;
  for (std::int64_t i = 0; i < slices; ++i) {
    count_step();
    const std::int64_t end = begin + each + (i < with_extra ? 1 : 0);
    std::vector<Value> part(items.begin() + begin, items.begin() + end);
    if (a.is_given(1) && i >= with_extra) part.push_back(a.at(1));
    out.push_back(Value::list(std::move(part)));
    begin = end;
  }
  return Value::iterator(std::move(out), "generator");
}

Arguments rest_of(const Arguments& arguments, std::size_t used) {
  Arguments rest{.keywords = arguments.keywords};
  rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                            used, arguments.positional.size())),
                         arguments.positional.end());
  return rest;
}

const std::string& name_in(const Value& value, std::string_view what) {
  if (value.text() == nullptr) fail(fmt::format("the name of the {} must be a string", what));
  return value.text()->bytes;
}

std::vector<Value> map_attribute(const Value& input, const Arguments& arguments) {
  static const Signature signature{{"attribute", "default"}, 1};
  const BoundArguments bound("map", signature, arguments);
  const AttributePath path(bound.find(0));
  const Value* otherwise = bound.is_given(1) ? bound.find(1) : nullptr;
  std::vector<Value> out;
  for (const Value& item : items_of(input)) out.push_back(path.read(item, otherwise));
  return out;
}

Value map(Runtime& runtime, const Value& input, const Arguments& arguments) {
  if (!is_true(input)) return Value::iterator({}, "generator");
  if (arguments.positional.empty() && arguments.keyword("attribute") != nullptr) {
    return Value::iterator(map_attribute(input, arguments), "generator");
  }
  if (arguments.positional.empty()) fail("map requires a filter argument");
  const std::string& name = name_in(arguments.positional[0], "filter");
  const Filter* filter = find_filter(name);
  if (filter == nullptr) fail(explain_missing_filter(name));
  const Arguments rest = rest_of(arguments, 1);
  std::vector<Value> out;
  for (const Value& item : items_of(input)) out.push_back(apply(*filter, runtime, item, rest));
  return Value::iterator(std::move(out), "generator");
}

// select, reject, selectattr and rejectattr.
template <bool kWanted, bool kByAttribute>
Value select(Runtime&, const Value& input, const Arguments& arguments) {
  std::vector<Value> out;
  if (!is_true(input)) return Value::iterator({}, "generator");
  constexpr std::size_t kTest = kByAttribute ? 1 : 0;
  if (arguments.positional.size() < kTest) fail("Missing parameter for attribute name");
  const AttributePath path(kByAttribute ? &arguments.positional[0] : nullptr);
  const Predicate* test = nullptr;
  if (arguments.positional.size() > kTest) {
    const std::string& name = name_in(arguments.positional[kTest], "test");
    test = find_predicate(name);
    if (test == nullptr) fail(fmt::format("No test named '{}'.", name));
  }
  const Arguments rest = rest_of(arguments, kTest + 1);
  for (const Value& item : items_of(input)) {
    count_step();
    const Value value = path.read(item);
    if ((test != nullptr ? apply(*test, value, rest) : is_true(value)) == kWanted) {
      out.push_back(item);
    }
  }
  return Value::iterator(std::move(out), "generator");
}

const Filter kFilters[] = {
    {"batch", {{"linecount", "fill_with"}, 1}, batch},
    {"first", {}, first},
    {"last", {}, last},
    {"list", {}, list},
    {"map", {}, nullptr, map},
    {"max", {{"case_sensitive", "attribute"}, 0}, extreme<true>},
    {"min", {{"case_sensitive", "attribute"}, 0}, extreme<false>},
    {"reject", {}, nullptr, select<false, false>},
    {"rejectattr", {}, nullptr, select<false, true>},
    {"reverse", {}, reverse},
    {"select", {}, nullptr, select<true, false>},
    {"selectattr", {}, nullptr, select<true, true>},
    {"slice", {{"slices", "fill_with"}, 1}, slice},
    {"sort", {{"reverse", "case_sensitive", "attribute"}, 0}, sort},
    {"unique", {{"case_sensitive", "attribute"}, 0}, unique},
};

}  // namespace

const Filter* find_list_filter(std::string_view name) { return find_in(kFilters, name); }

}  // namespace aurum::text::jinja

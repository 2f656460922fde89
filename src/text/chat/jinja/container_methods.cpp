// The methods of Python's dict, list, tuple, range, int and float that change nothing.

#include <algorithm>
#include <cmath>
#include <iterator>

#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/methods.h"

namespace aurum::text::jinja {

namespace {

using Bound = const BoundArguments&;

Value keys(const Value& self, Bound) {
  std::vector<Value> out;
  for (const auto& [key, value] : self.dict()->entries()) out.push_back(key);
  return make_sequence(std::move(out), Sequence::Form::kKeys);
}

Value values(const Value& self, Bound) {
  std::vector<Value> out;
  for (const auto& [key, value] : self.dict()->entries()) out.push_back(value);
  return make_sequence(std::move(out), Sequence::Form::kValues);
}

Value items(const Value& self, Bound) {
  std::vector<Value> out;
  for (const auto& [key, value] : self.dict()->entries()) out.push_back(Value::tuple({key, value}));
  return make_sequence(std::move(out), Sequence::Form::kItems);
}

Value get(const Value& self, Bound a) {
  const Value* found = self.dict()->find(a.at(0));
  if (found != nullptr) return *found;
  return a.find(1) != nullptr ? *a.find(1) : Value(None{});
}

Value copy(const Value& self, Bound) { return self; }

Value count(const Value& self, Bound a) {
  std::int64_t found = 0;
  Cursor cursor(self);
  while (const auto item = cursor.next()) {
    count_step();
    found += are_equal(*item, a.at(0)) ? 1 : 0;
  }
  return found;
}

Value index(const Value& self, Bound a) {
  const std::vector<Value> all = items_of(self);
  const auto size = static_cast<std::int64_t>(all.size());
  const auto bound = [&](std::size_t at, std::int64_t otherwise) {
    const std::int64_t position = a.integer(at, otherwise);
    return std::clamp<std::int64_t>(position < 0 ? position + size : position, 0, size);
  };
  for (std::int64_t i = bound(1, 0); i < bound(2, size); ++i) {
    count_step();
    if (are_equal(all[static_cast<std::size_t>(i)], a.at(0))) return i;
  }
  fail("the value is not in the list");
}

Value is_integer(const Value& self, Bound) {
  const double value = *self.as_float();
  return std::isfinite(value) && value == std::floor(value);
}

Value bit_length(const Value& self, Bound) {
  Integer magnitude = *self.as_integer();
  if (magnitude < 0) magnitude = -magnitude;
  int bits = 0;
  for (; magnitude > 0; magnitude >>= 1) ++bits;
  return bits;
}

const Method kOfDicts[] = {{"items", {}, items},
                           {"keys", {}, keys},
                           {"values", {}, values},
                           {"get", {{"key", "default"}, 1}, get},
                           {"copy", {}, copy}};
const Method kOfLists[] = {{"index", {{"value", "start", "stop"}, 1}, index},
                           {"count", {{"value"}, 1}, count},
                           {"copy", {}, copy}};
const Method kOfFloats[] = {{"is_integer", {}, is_integer}};
const Method kOfIntegers[] = {{"bit_length", {}, bit_length}};

template <std::size_t kSize>
const Method* find(const Method (&methods)[kSize], std::string_view name) {
  const auto* found = std::find_if(std::begin(methods), std::end(methods),
                                   [&](const Method& method) { return method.name == name; });
  return found == std::end(methods) ? nullptr : found;
}

}  // namespace

const Method* find_container_method(const Value& value, std::string_view name) {
  if (value.dict() != nullptr) return find(kOfDicts, name);
  if (value.is_list()) return find(kOfLists, name);
  if (value.is_tuple() || value.range() != nullptr) {
    return name == "copy" ? nullptr : find(kOfLists, name);
  }
  if (value.is_float()) return find(kOfFloats, name);
  if (value.as_integer()) return find(kOfIntegers, name);
  return nullptr;
}

}  // namespace aurum::text::jinja

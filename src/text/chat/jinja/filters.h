#pragma once

#include <string_view>

#include "text/chat/jinja/arguments.h"
#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// value|name(arguments)
struct Filter {
  std::string_view name;
  Signature signature;  // without the value itself
  Value (*run)(const Value& input, const BoundArguments& arguments);
  // Set instead of `run` by filters that take any arguments or call other filters.
  Value (*run_freely)(Runtime& runtime, const Value& input, const Arguments& arguments) = nullptr;
};

// Null when Jinja2 has no such filter, or none that we run; explain_filter() then says why.
const Filter* find_filter(std::string_view name);
std::string explain_missing_filter(std::string_view name);

Value apply(const Filter& filter, Runtime& runtime, const Value& input, const Arguments& arguments);

// The tables that find_filter searches.
const Filter* find_text_filter(std::string_view name);
const Filter* find_number_filter(std::string_view name);
const Filter* find_list_filter(std::string_view name);
const Filter* find_mapping_filter(std::string_view name);

template <std::size_t kSize>
const Filter* find_in(const Filter (&table)[kSize], std::string_view name) {
  for (const Filter& filter : table) {
    if (filter.name == name) return &filter;
  }
  return nullptr;
}

// What sort(), groupby(), join() and their kin read of each item: item["a"]["b"][0] for the
// attribute "a.b.0", the item itself without an attribute.
class AttributePath {
 public:
  explicit AttributePath(const Value* attribute);
  // `otherwise` replaces what is undefined on the way, when it is not null.
  Value read(const Value& item, const Value* otherwise = nullptr) const;

 private:
  std::vector<Value> keys_;
};

// The lower case of a string, other values as they are.
Value ignore_case(const Value& value);

}  // namespace aurum::text::jinja

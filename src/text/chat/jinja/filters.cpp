#include "text/chat/jinja/filters.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "text/chat/jinja/access.h"
#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

const Filter* find_filter(std::string_view name) {
  for (const auto find :
       {find_text_filter, find_list_filter, find_mapping_filter, find_number_filter}) {
    if (const Filter* filter = find(name)) return filter;
  }
  return nullptr;
}

std::string explain_missing_filter(std::string_view name) {
  constexpr std::array kRefused = {"filesizeformat", "pprint", "random",   "striptags",
                                   "urlencode",      "urlize", "wordwrap", "xmlattr"};
  if (std::find(kRefused.begin(), kRefused.end(), name) != kRefused.end()) {
    return fmt::format("the filter '{}' is not supported", name);
  }
  return fmt::format("No filter named '{}'.", name);
}

Value apply(const Filter& filter, Runtime& runtime, const Value& input,
            const Arguments& arguments) {
  if (filter.run_freely != nullptr) return filter.run_freely(runtime, input, arguments);
  return filter.run(input, BoundArguments(filter.name, filter.signature, arguments));
}

AttributePath::AttributePath(const Value* attribute) {
  if (attribute == nullptr || attribute->is_none()) return;
  if (attribute->text() == nullptr) {
    keys_.push_back(*attribute);
    return;
  }
  for (const std::string& part : split(attribute->text()->bytes, ".", -1)) {
    const auto index = all_characters(part, is_digit) ? parse_integer(part, 10) : std::nullopt;
    keys_.push_back(index ? Value(*index) : Value(part));
  }
}

Value AttributePath::read(const Value& item, const Value* otherwise) const {
  Value value = item;
  for (const Value& key : keys_) {
    value = item_of(value, key);
    if (otherwise != nullptr && value.is_undefined()) value = *otherwise;
  }
  return value;
}

Value ignore_case(const Value& value) {
  const Text* text = value.text();
  return text == nullptr ? value : Value(to_lower(text->bytes));
}

}  // namespace aurum::text::jinja

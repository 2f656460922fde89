#pragma once

#include <optional>
#include <string_view>

#include "text/chat/jinja/arguments.h"
#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// value.name of a string, list, tuple, mapping, range or number: a function bound to the value.
// Nullopt when Python's type has no such method. Methods that would change a list or mapping
// exist, but fail when they are used, as in Jinja2's immutable sandbox.
std::optional<Value> method_of(const Value& value, std::string_view name);

// A method: its signature and what it does with the value it is bound to.
struct Method {
  std::string_view name;
  Signature signature;
  Value (*run)(const Value& self, const BoundArguments& arguments);
};

const Method* find_text_method(std::string_view name);
const Method* find_container_method(const Value& value, std::string_view name);

}  // namespace aurum::text::jinja

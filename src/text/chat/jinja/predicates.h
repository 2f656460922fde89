#pragma once

#include <string_view>

#include "text/chat/jinja/arguments.h"
#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// value is name(arguments): what Jinja2 calls a test.
struct Predicate {
  std::string_view name;
  Signature signature;  // without the value itself
  bool (*holds)(const Value& value, const BoundArguments& arguments);
};

// Null when there is no such test.
const Predicate* find_predicate(std::string_view name);

bool apply(const Predicate& predicate, const Value& value, const Arguments& arguments);

}  // namespace aurum::text::jinja

#include "text/chat/jinja/assignment.h"

#include <fmt/format.h>

#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/runtime.h"

namespace aurum::text::jinja {

namespace {

Namespace& namespace_of(Runtime& runtime, const std::string& name) {
  const Value owner = runtime.look_up(name);
  auto* space = dynamic_cast<Namespace*>(owner.object());
  if (space == nullptr) fail("cannot assign attribute on non-namespace object");
  return *space;
}

}  // namespace

std::vector<std::string> AssignmentTarget::names() const {
  if (!is_tuple) return {name};
  std::vector<std::string> all;
  for (const AssignmentTarget& part : parts) {
    for (std::string& inner : part.names()) all.push_back(std::move(inner));
  }
  return all;
}

void AssignmentTarget::check(Runtime& runtime) const {
  if (!attribute.empty()) namespace_of(runtime, name);
  for (const AssignmentTarget& part : parts) part.check(runtime);
}

void AssignmentTarget::assign(Runtime& runtime, const Value& value) const {
  if (!attribute.empty()) return namespace_of(runtime, name).set(attribute, value);
  if (!is_tuple) return runtime.scope().set(name, value);
  if (!is_iterable(value)) {
    fail(fmt::format("cannot unpack non-iterable {} object", value.type_name()));
  }
  const std::vector<Value> items = items_of(value);
  if (items.size() != parts.size()) {
    fail(fmt::format("cannot unpack {} values into {} names", items.size(), parts.size()));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i].assign(runtime, items[i]);
}

Value AssignmentTarget::read(Runtime& runtime) const {
  if (!is_tuple) return runtime.look_up(name);
  std::vector<Value> values;
  for (const AssignmentTarget& part : parts) values.push_back(part.read(runtime));
  return Value::tuple(std::move(values));
}

}  // namespace aurum::text::jinja

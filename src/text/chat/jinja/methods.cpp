#include "text/chat/jinja/methods.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "text/chat/jinja/format_method.h"

namespace aurum::text::jinja {

namespace {

class BoundMethod : public Object {
 public:
  BoundMethod(Value self, const Method& method) : self_(std::move(self)), method_(method) {}

  std::string type_name() const override { return "builtin_function_or_method"; }
  std::string repr() const override {
    return fmt::format("<built-in method {} of {} object>", method_.name, self_.type_name());
  }
  bool is_callable() const override { return true; }
  Value call(Runtime&, const Arguments& arguments) const override {
    count_step();
    return method_.run(self_, BoundArguments(method_.name, method_.signature, arguments));
  }

 private:
  Value self_;
  const Method& method_;
};

// str.format takes any arguments at all, so it cannot be a Method.
class FormatMethod : public Object {
 public:
  FormatMethod(Value self, bool takes_mapping)
      : self_(std::move(self)), takes_mapping_(takes_mapping) {}

  std::string type_name() const override { return "function"; }
  std::string repr() const override { return "<function format>"; }
  bool is_callable() const override { return true; }
  Value call(Runtime&, const Arguments& arguments) const override {
    if (!takes_mapping_) return format_with(*self_.text(), arguments);
    if (arguments.positional.size() != 1 || !arguments.keywords.empty()) {
      fail("format_map() takes exactly one argument");
    }
    const Dict* mapping = arguments.positional[0].dict();
    if (mapping == nullptr) fail("format_map() wants a mapping");
    Arguments named;
    for (const auto& [key, value] : mapping->entries()) {
      if (key.text() != nullptr) named.keywords.emplace_back(key.text()->bytes, value);
    }
    return format_with(*self_.text(), named);
  }

 private:
  Value self_;
  bool takes_mapping_;
};

bool is_mutator(const Value& value, std::string_view name) {
  constexpr std::array kOfLists = {"append", "clear", "pop",    "reverse",
                                   "insert", "sort",  "extend", "remove"};
  constexpr std::array kOfDicts = {"clear", "pop", "popitem", "setdefault", "update"};
  const auto has = [&](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return (value.is_list() && has(kOfLists)) || (value.dict() != nullptr && has(kOfDicts));
}

const Method* find_method(const Value& value, std::string_view name) {
  return value.text() != nullptr ? find_text_method(name) : find_container_method(value, name);
}

}  // namespace

std::optional<Value> method_of(const Value& value, std::string_view name) {
  if (is_mutator(value, name) || (name.starts_with("__") && !value.is_undefined())) {
    return Value::undefined(
        fmt::format("access to attribute '{}' of '{}' object is unsafe", name, value.type_name()));
  }
  if (value.text() != nullptr && (name == "format" || name == "format_map")) {
    return std::shared_ptr<Object>(std::make_shared<FormatMethod>(value, name == "format_map"));
  }
  if (const Method* method = find_method(value, name)) {
    return std::shared_ptr<Object>(std::make_shared<BoundMethod>(value, *method));
  }
  const Sequence* sequence = value.sequence();
  if (sequence != nullptr && sequence->form == Sequence::Form::kGroup) {
    if (name == "grouper") return sequence->items[0];
    if (name == "list") return sequence->items[1];
  }
  return std::nullopt;
}

}  // namespace aurum::text::jinja

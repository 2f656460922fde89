#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// What a call passes.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;

  const Value* keyword(std::string_view name) const;
};

// The names of a function's parameters in order; the first `num_required` have no default.
struct Signature {
  std::vector<std::string_view> parameters;
  std::size_t num_required = 0;
};

// Arguments sorted by parameter. The readers fail with the parameter's name when a value has the
// wrong type; a parameter that is not given, or is None where a default exists, has its default.
class BoundArguments {
 public:
  // Fails for a missing, unknown, doubled or surplus argument. `function` appears in messages.
  BoundArguments(std::string_view function, const Signature& signature, const Arguments& arguments);

  const Value* find(std::size_t index) const;  // null when not given
  bool is_given(std::size_t index) const;      // and not None
  const Value& at(std::size_t index) const;
  bool flag(std::size_t index, bool otherwise) const;
  std::int64_t integer(std::size_t index) const;
  std::int64_t integer(std::size_t index, std::int64_t otherwise) const;
  const std::string& text(std::size_t index) const;
  std::optional<std::string_view> optional_text(std::size_t index) const;
  std::string_view name(std::size_t index) const { return signature_->parameters[index]; }

 private:
  void place(std::string_view name, const Value& value);

  std::string_view function_;
  const Signature* signature_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace aurum::text::jinja

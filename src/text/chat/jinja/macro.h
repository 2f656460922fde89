#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/chat/jinja/expressions.h"

namespace aurum::text::jinja {

class Block;

// {% macro name(a, b=default) %}body{% endmacro %}, or the body of a {% call %} block.
struct MacroDefinition {
  MacroDefinition();
  ~MacroDefinition();

  std::string name;  // "" for a call block
  std::vector<std::string> parameters;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  std::unique_ptr<Block> body;
  // Whether the body mentions these, and so accepts what fills them.
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false;

  bool has_parameter(std::string_view parameter) const;
};

// The macro as a value, which from now on reads the variables of the current scope.
Value make_macro(const MacroDefinition& definition, Runtime& runtime);

}  // namespace aurum::text::jinja

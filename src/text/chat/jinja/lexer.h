#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aurum::text::jinja {

struct Token {
  enum class Kind {
    kData,  // text between tags, white space already trimmed
    kVariableBegin,
    kVariableEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kString,  // unescaped
    kInteger,
    kFloat,
    kOperator,
    kEnd,
  };
  Kind kind;
  std::string text;
  int line = 1;
};

// Splits a template into tokens as Jinja2 does with trim_blocks and lstrip_blocks; the last one is
// kEnd. `name` begins the messages of the FormatErrors that it throws.
std::vector<Token> tokenize(std::string_view source, std::string_view name);

}  // namespace aurum::text::jinja

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aurum::text {

// A stretch of a template: literal text, {{ output }} or {% statement %}. Comments and the white
// space that trim_blocks, lstrip_blocks and the '-' and '+' marks remove are gone.
struct TemplatePart {
  enum class Kind { kText, kOutput, kStatement } kind;
  std::string source;
  int line = 1;
};

std::vector<TemplatePart> split_template(std::string_view source, std::string_view name);

struct TemplateToken {
  enum class Kind { kName, kString, kInteger, kFloat, kOperator, kEnd } kind;
  std::string text;
};

// The tokens of an expression or statement, closed by a kEnd. Adjacent strings are joined.
std::vector<TemplateToken> tokenize_expression(const TemplatePart& part, std::string_view name);

}  // namespace aurum::text

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat/jinja/budget.h"
#include "text/chat/jinja/runtime.h"

namespace aurum::text::jinja {

struct Rendered {
  std::string text;
  std::vector<GenerationSpan> generation_spans;
};

// A Jinja2 template as transformers configures it: sandboxed, immutable, with trim_blocks,
// lstrip_blocks, loop controls and the generation tag. Parsed once; immutable and thread-safe.
class Template {
 public:
  // `name` begins every message. Throws FormatError with the line of a syntax error.
  Template(std::string_view source, std::string name);
  ~Template();
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;

  // Must run under a Budget that also holds the context's values. Throws InputError, with the
  // line, for whatever goes wrong.
  Rendered render(const Context& context) const;

  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::unique_ptr<const class Block> root_;
};

}  // namespace aurum::text::jinja

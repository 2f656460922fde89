#include "text/chat/jinja/template.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "text/chat/jinja/lexer.h"
#include "text/chat/jinja/statement_parser.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

constexpr std::size_t kLongestMessage = 400;

// One line of a length that a terminal can show: messages may quote the conversation.
std::string to_one_line(std::string message) {
  std::replace_if(
      message.begin(), message.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  if (message.size() <= kLongestMessage) return message;
  message.resize(kLongestMessage);
  message.resize(complete_utf8_prefix(message));
  return message + "…";
}

}  // namespace

Template::Template(std::string_view source, std::string name) : name_(std::move(name)) {
  try {
    root_ = std::make_unique<const Block>(StatementParser(tokenize(source, name_), name_).parse());
  } catch (const RenderError& error) {  // a number that no value can hold
    throw FormatError(fmt::format("{}: {}", name_, error.what()));
  }
}

Template::~Template() = default;
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;

Rendered Template::render(const Context& context) const {
  Runtime runtime(context);
  try {
    root_->run(runtime);
  } catch (const RenderError& error) {
    throw InputError(
        fmt::format("{}: line {}: {}", name_, runtime.line, to_one_line(error.what())));
  }
  return {runtime.take_output(), runtime.take_generation_spans()};
}

}  // namespace aurum::text::jinja

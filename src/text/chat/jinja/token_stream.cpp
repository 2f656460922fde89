#include "text/chat/jinja/token_stream.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"

namespace aurum::text::jinja {

namespace {

using Kind = Token::Kind;

std::string describe(Kind kind) {
  switch (kind) {
    case Kind::kData:
      return "template text";
    case Kind::kVariableBegin:
      return "begin of print statement";
    case Kind::kVariableEnd:
      return "end of print statement";
    case Kind::kBlockBegin:
      return "begin of statement block";
    case Kind::kBlockEnd:
      return "end of statement block";
    case Kind::kString:
      return "string";
    case Kind::kInteger:
      return "integer";
    case Kind::kFloat:
      return "float";
    case Kind::kName:
      return "name";
    case Kind::kOperator:
      return "operator";
    case Kind::kEnd:
      break;
  }
  return "end of template";
}

std::string describe(const Token& token) {
  const bool shows_text = token.kind == Kind::kName || token.kind == Kind::kOperator;
  return shows_text ? token.text : describe(token.kind);
}

}  // namespace

Token TokenStream::take() {
  Token token = current();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool TokenStream::accept(bool matches) {
  if (matches && at_ + 1 < tokens_.size()) ++at_;
  return matches;
}

std::string TokenStream::expect_name() {
  if (!is(Kind::kName)) fail_expected("name");
  return take().text;
}

void TokenStream::expect_name(std::string_view name) {
  if (!accept_name(name)) fail_expected(name);
}

void TokenStream::expect_operator(std::string_view text) {
  if (!accept_operator(text)) fail_expected(text);
}

void TokenStream::expect(Kind kind) {
  if (!is(kind)) fail_expected(describe(kind));
  take();
}

void TokenStream::fail_at(int line, std::string_view what) const {
  throw FormatError(fmt::format("{}: line {}: {}", name_, line, what));
}

void TokenStream::fail_expected(std::string_view what) const {
  fail(fmt::format("expected '{}', got '{}'", what, describe(current())));
}

}  // namespace aurum::text::jinja

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/chat/jinja/lexer.h"

namespace aurum::text::jinja {

// Walks over the tokens of a template; every failure names the template and the line.
class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, std::string name)
      : tokens_(std::move(tokens)), name_(std::move(name)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& look() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  int line() const { return current().line; }
  Token take();

  bool is(Token::Kind kind) const { return current().kind == kind; }
  bool is_name(std::string_view name) const { return is(Token::Kind::kName, name); }
  bool is_operator(std::string_view text) const { return is(Token::Kind::kOperator, text); }
  bool accept_name(std::string_view name) { return accept(is_name(name)); }
  bool accept_operator(std::string_view text) { return accept(is_operator(text)); }

  std::string expect_name();
  void expect_name(std::string_view name);
  void expect_operator(std::string_view text);
  void expect(Token::Kind kind);

  [[noreturn]] void fail(std::string_view what) const { fail_at(line(), what); }
  [[noreturn]] void fail_at(int line, std::string_view what) const;

 private:
  bool is(Token::Kind kind, std::string_view text) const {
    return is(kind) && current().text == text;
  }
  bool accept(bool matches);
  [[noreturn]] void fail_expected(std::string_view what) const;

  std::vector<Token> tokens_;
  std::string name_;
  std::size_t at_ = 0;
};

}  // namespace aurum::text::jinja

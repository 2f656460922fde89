#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/chat/jinja/lexer.h"

namespace aurum::text::jinja {

// Reads the tokens between the marks of one tag.
class TagLexer {
 public:
  TagLexer(std::string_view source, std::string_view name, std::vector<Token>& tokens)
      : source_(source), name_(name), tokens_(tokens) {}

  // Reads the token or the white space at `position`; returns the position behind it.
  std::size_t read(std::size_t position, int line);

  // True within (), [] and {}, where the mark that ends the tag is not looked for.
  bool is_inside_brackets() const { return !closing_.empty(); }

 private:
  [[noreturn]] void fail_here(std::string_view what) const;
  std::size_t read_blanks(std::size_t position) const;
  std::size_t read_number(std::size_t position);
  std::size_t read_name(std::size_t position);
  std::size_t read_string(std::size_t position);
  std::size_t read_operator(std::size_t position);
  std::size_t float_end(std::size_t position) const;
  std::size_t integer_end(std::size_t position) const;
  std::size_t digits_end(std::size_t position, std::string_view digits) const;
  void balance(char bracket);
  std::size_t add(Token::Kind kind, std::size_t begin, std::size_t end);

  std::string_view source_, name_;
  std::vector<Token>& tokens_;
  std::string closing_;  // the brackets that are open, as the ones that close them
  int line_ = 1;
};

}  // namespace aurum::text::jinja

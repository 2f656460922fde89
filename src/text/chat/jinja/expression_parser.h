#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/chat/jinja/expressions.h"
#include "text/chat/jinja/frame_names.h"
#include "text/chat/jinja/token_stream.h"

namespace aurum::text::jinja {

// Parses expressions by Jinja2's grammar, whose precedences differ from Python's: filters and tests
// bind tighter than everything but calls and subscripts, '~' tighter than '+'.
class ExpressionParser {
 public:
  // `names` learns which variables are read.
  ExpressionParser(TokenStream& tokens, NameTracker& names) : tokens_(tokens), names_(names) {}

  // One expression, with or without "a if b else c". As all that follow, fails for a filter or test
  // that does not exist, unless a branch that may not run uses it.
  ExpressionPtr parse(bool with_conditional = true);
  // One expression, or several with commas between: a tuple. `end_name` may end it early.
  ExpressionPtr parse_tuple(bool with_conditional = true, std::string_view end_name = "");
  // What a {% call %} tag calls.
  std::unique_ptr<const Call> parse_call();
  // a|b|c without its input, starting at the first name or, in a {% set %}, at a '|'.
  std::unique_ptr<const FilterCall> parse_filter_chain(bool starts_with_name);

  // While it is above 0, an unknown filter or test fails only when it runs.
  int lenient_depth = 0;

  // Which of the names that only macros have were read since the last reset.
  struct SpecialNames {
    bool caller = false, kwargs = false, varargs = false;
  };
  SpecialNames special_names;

 private:
  // A node and the height of its tree, which bounds the recursion over it.
  struct Parsed {
    ExpressionPtr node;
    int height = 1;
  };
  class Nesting;
  using ParseOperand = Parsed (ExpressionParser::*)();

  template <typename Node, typename... Parts>
  static Parsed make(int height, Parts&&... parts) {
    return {std::make_unique<const Node>(std::forward<Parts>(parts)...), height};
  }
  int above(int height, const Parsed& child) const;

  Parsed expression(bool with_conditional);
  Parsed conditional();
  Parsed logical(bool is_and, ParseOperand operand);
  Parsed disjunction();
  Parsed conjunction();
  Parsed negation();
  Parsed comparison();
  bool accept_comparison(Comparison& comparison);
  Parsed arithmetic(const std::vector<std::pair<std::string_view, BinaryOperator>>& operators,
                    ParseOperand operand);
  Parsed sum();
  Parsed concatenation();
  Parsed product();
  Parsed power();
  Parsed unary() { return unary(true); }
  Parsed unary(bool with_filters);
  Parsed primary();
  Parsed name();
  Parsed tuple(bool with_conditional, std::string_view end_name, bool in_parentheses);
  bool at_tuple_end(std::string_view end_name) const;
  Parsed list();
  Parsed dict();
  Parsed postfix(Parsed owner);
  Parsed subscript(Parsed owner);
  Parsed slice(Parsed owner, Parsed start);
  bool starts_argument() const;
  Parsed filters(Parsed input);
  Parsed filter(Parsed input);
  Parsed test(Parsed subject);
  Parsed call(Parsed function);
  std::string dotted_name();
  ArgumentList arguments(int& height);
  void add_argument(ArgumentList& list, int& height);

  void check_names();

  TokenStream& tokens_;
  NameTracker& names_;
  int nesting_ = 0;
  std::vector<std::pair<int, std::string>> unknown_names_;  // line and message
};

}  // namespace aurum::text::jinja

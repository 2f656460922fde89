// The part of ExpressionParser that reads names, literals and what stands in brackets.

#include <fmt/format.h>

#include "text/chat/jinja/expression_parser.h"
#include "text/chat/jinja/python_numbers.h"

namespace aurum::text::jinja {

namespace {

using Kind = Token::Kind;

}  // namespace

ExpressionParser::Parsed ExpressionParser::primary() {
  const Token& token = tokens_.current();
  switch (token.kind) {
    case Kind::kName:
      return name();
    case Kind::kString: {
      std::string text;
      while (tokens_.is(Kind::kString)) text += tokens_.take().text;
      return make<Constant>(1, Value(std::move(text)));
    }
    case Kind::kInteger: {
      const auto value = parse_integer(token.text, 0);
      if (!value) tokens_.fail("this number is not an integer");
      tokens_.take();
      return make<Constant>(1, Value(*value));
    }
    case Kind::kFloat: {
      const double value = parse_float(token.text).value_or(0);
      tokens_.take();
      return make<Constant>(1, Value(value));
    }
    default:
      break;
  }
  if (tokens_.accept_operator("(")) {
    Parsed inner = tuple(true, "", true);
    tokens_.expect_operator(")");
    return inner;
  }
  if (tokens_.is_operator("[")) return list();
  if (tokens_.is_operator("{")) return dict();
  tokens_.fail(token.text.empty() ? "Expected an expression"
                                  : fmt::format("unexpected '{}'", token.text));
}

ExpressionParser::Parsed ExpressionParser::name() {
  std::string text = tokens_.take().text;
  if (text == "true" || text == "True") return make<Constant>(1, Value(true));
  if (text == "false" || text == "False") return make<Constant>(1, Value(false));
  if (text == "none" || text == "None") return make<Constant>(1, Value(None{}));
  special_names.caller = special_names.caller || text == "caller";
  special_names.kwargs = special_names.kwargs || text == "kwargs";
  special_names.varargs = special_names.varargs || text == "varargs";
  names_.read(text);
  return make<Variable>(1, std::move(text));
}

bool ExpressionParser::at_tuple_end(std::string_view end_name) const {
  return tokens_.is(Kind::kVariableEnd) || tokens_.is(Kind::kBlockEnd) ||
         tokens_.is_operator(")") || (!end_name.empty() && tokens_.is_name(end_name));
}

ExpressionParser::Parsed ExpressionParser::tuple(bool with_conditional, std::string_view end_name,
                                                 bool in_parentheses) {
  std::vector<ExpressionPtr> items;
  int height = 1;
  bool is_tuple = false;
  while (!at_tuple_end(end_name)) {
    Parsed item = expression(with_conditional);
    if (!is_tuple && !tokens_.is_operator(",")) return item;
    height = above(height, item);
    items.push_back(std::move(item.node));
    is_tuple = true;
    if (!tokens_.accept_operator(",")) break;
  }
  if (!is_tuple && !in_parentheses) tokens_.fail("Expected an expression");
  return make<SequenceLiteral>(height, std::move(items), true);
}

ExpressionParser::Parsed ExpressionParser::list() {
  tokens_.expect_operator("[");
  std::vector<ExpressionPtr> items;
  int height = 1;
  while (!tokens_.is_operator("]")) {
    Parsed item = expression(true);
    height = above(height, item);
    items.push_back(std::move(item.node));
    if (!tokens_.accept_operator(",")) break;
  }
  tokens_.expect_operator("]");
  return make<SequenceLiteral>(height, std::move(items), false);
}

ExpressionParser::Parsed ExpressionParser::dict() {
  tokens_.expect_operator("{");
  std::vector<DictLiteral::Entry> entries;
  int height = 1;
  while (!tokens_.is_operator("}")) {
    Parsed key = expression(true);
    tokens_.expect_operator(":");
    Parsed value = expression(true);
    height = above(above(height, key), value);
    entries.emplace_back(std::move(key.node), std::move(value.node));
    if (!tokens_.accept_operator(",")) break;
  }
  tokens_.expect_operator("}");
  return make<DictLiteral>(height, std::move(entries));
}

}  // namespace aurum::text::jinja

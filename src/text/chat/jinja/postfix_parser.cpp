// The part of ExpressionParser that follows a value: subscripts, calls, filters and tests.

#include <fmt/format.h>

#include "text/chat/jinja/expression_parser.h"
#include "text/chat/jinja/python_numbers.h"

namespace aurum::text::jinja {

namespace {

using Kind = Token::Kind;

}  // namespace

ExpressionParser::Parsed ExpressionParser::postfix(Parsed owner) {
  for (;;) {
    if (tokens_.is_operator(".") || tokens_.is_operator("[")) {
      owner = subscript(std::move(owner));
    } else if (tokens_.is_operator("(")) {
      owner = call(std::move(owner));
    } else {
      return owner;
    }
  }
}

ExpressionParser::Parsed ExpressionParser::subscript(Parsed owner) {
  const int height = above(1, owner);
  if (tokens_.accept_operator(".")) {
    const Token key = tokens_.take();
    if (key.kind == Kind::kName) {
      return {std::make_unique<const AttributeAccess>(std::move(owner.node), key.text), height};
    }
    const auto index = key.kind == Kind::kInteger ? parse_integer(key.text, 0) : std::nullopt;
    if (!index) tokens_.fail("expected name or number");
    return {std::make_unique<const ItemAccess>(std::move(owner.node),
                                               std::make_unique<const Constant>(Value(*index))),
            height};
  }
  tokens_.expect_operator("[");
  Parsed key;
  if (!tokens_.is_operator(":")) key = expression(true);
  if (tokens_.accept_operator(":")) return slice(std::move(owner), std::move(key));
  if (tokens_.is_operator(",")) tokens_.fail("subscripts with commas are not supported");
  tokens_.expect_operator("]");
  const int key_height = above(height, key);
  return {std::make_unique<const ItemAccess>(std::move(owner.node), std::move(key.node)),
          key_height};
}

ExpressionParser::Parsed ExpressionParser::slice(Parsed owner, Parsed start) {
  Parsed stop, step;
  if (!tokens_.is_operator(":") && !tokens_.is_operator("]")) stop = expression(true);
  if (tokens_.accept_operator(":") && !tokens_.is_operator("]")) step = expression(true);
  tokens_.expect_operator("]");
  const int height = above(above(above(above(1, owner), start), stop), step);
  return {std::make_unique<const SliceAccess>(std::move(owner.node), std::move(start.node),
                                              std::move(stop.node), std::move(step.node)),
          height};
}

ExpressionParser::Parsed ExpressionParser::filters(Parsed input) {
  for (;;) {
    if (tokens_.accept_operator("|")) {
      input = filter(std::move(input));
    } else if (tokens_.accept_name("is")) {
      input = test(std::move(input));
    } else if (tokens_.is_operator("(")) {
      input = call(std::move(input));
    } else {
      return input;
    }
  }
}

std::string ExpressionParser::dotted_name() {
  std::string name = tokens_.expect_name();
  while (tokens_.accept_operator(".")) name += "." + tokens_.expect_name();
  return name;
}

ExpressionParser::Parsed ExpressionParser::filter(Parsed input) {
  const int line = tokens_.line();
  std::string name = dotted_name();
  const Filter* filter = find_filter(name);
  if (filter == nullptr) unknown_names_.emplace_back(line, explain_missing_filter(name));
  int height = above(1, input);
  ArgumentList list;
  if (tokens_.is_operator("(")) list = arguments(height);
  return {std::make_unique<const FilterCall>(std::move(input.node), std::move(name), filter,
                                             std::move(list)),
          height};
}

// Whether a test's single argument follows without parentheses, as in `x is divisibleby 3`.
bool ExpressionParser::starts_argument() const {
  if (tokens_.is_operator("[") || tokens_.is_operator("{")) return true;
  if (tokens_.is(Kind::kName)) {
    return !tokens_.is_name("else") && !tokens_.is_name("or") && !tokens_.is_name("and");
  }
  return tokens_.is(Kind::kString) || tokens_.is(Kind::kInteger) || tokens_.is(Kind::kFloat);
}

ExpressionParser::Parsed ExpressionParser::test(Parsed subject) {
  const bool negates = tokens_.accept_name("not");
  const int line = tokens_.line();
  std::string name = dotted_name();
  const Predicate* predicate = find_predicate(name);
  if (predicate == nullptr) {
    unknown_names_.emplace_back(line, fmt::format("No test named '{}'.", name));
  }
  int height = above(1, subject);
  ArgumentList list;
  if (tokens_.is_operator("(")) {
    list = arguments(height);
  } else if (starts_argument()) {
    if (tokens_.is_name("is")) tokens_.fail("You cannot chain multiple tests with is");
    Parsed argument = postfix(primary());
    height = above(height, argument);
    list.positional.push_back(std::move(argument.node));
  }
  Parsed result{std::make_unique<const TestCall>(std::move(subject.node), std::move(name),
                                                 predicate, std::move(list)),
                height};
  if (!negates) return result;
  const int negated_height = above(1, result);
  return {std::make_unique<const UnaryExpression>(UnaryExpression::Operator::kNot,
                                                  std::move(result.node)),
          negated_height};
}

ExpressionParser::Parsed ExpressionParser::call(Parsed function) {
  int height = above(1, function);
  ArgumentList list = arguments(height);
  return {std::make_unique<const Call>(std::move(function.node), std::move(list)), height};
}

ArgumentList ExpressionParser::arguments(int& height) {
  tokens_.expect_operator("(");
  ArgumentList list;
  while (!tokens_.is_operator(")")) {
    add_argument(list, height);
    if (!tokens_.accept_operator(",")) break;
  }
  tokens_.expect_operator(")");
  return list;
}

void ExpressionParser::add_argument(ArgumentList& list, int& height) {
  const auto parse_value = [&] {
    Parsed value = expression(true);
    height = above(height, value);
    return std::move(value.node);
  };
  const auto ensure = [&](bool holds) {
    if (!holds) tokens_.fail("invalid syntax for function call expression");
  };
  const bool is_keyword = tokens_.is(Kind::kName) && tokens_.look().kind == Kind::kOperator &&
                          tokens_.look().text == "=";
  if (tokens_.accept_operator("*")) {
    ensure(!list.more_positional && !list.more_keywords);
    list.more_positional = parse_value();
  } else if (tokens_.accept_operator("**")) {
    ensure(!list.more_keywords);
    list.more_keywords = parse_value();
  } else if (is_keyword) {
    ensure(!list.more_keywords);
    std::string name = tokens_.take().text;
    tokens_.take();
    for (const auto& keyword : list.keywords) {
      if (keyword.first == name) tokens_.fail(fmt::format("keyword argument repeated: {}", name));
    }
    list.keywords.emplace_back(std::move(name), parse_value());
  } else {
    ensure(!list.more_positional && !list.more_keywords && list.keywords.empty());
    list.positional.push_back(parse_value());
  }
}

}  // namespace aurum::text::jinja

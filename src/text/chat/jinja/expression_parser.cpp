#include "text/chat/jinja/expression_parser.h"

#include <algorithm>

#include <fmt/format.h>

namespace aurum::text::jinja {

namespace {

using Kind = Token::Kind;

constexpr int kMostNesting = 100;
constexpr int kMostHeight = 400;

}  // namespace

// Bounds the recursion of the parser itself.
class ExpressionParser::Nesting {
 public:
  explicit Nesting(ExpressionParser& parser) : parser_(parser) {
    if (++parser_.nesting_ > kMostNesting)
      parser_.tokens_.fail("expressions are nested too deeply");
  }
  ~Nesting() { --parser_.nesting_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  ExpressionParser& parser_;
};

int ExpressionParser::above(int height, const Parsed& child) const {
  if (child.height >= kMostHeight) tokens_.fail("this expression is too long");
  return std::max(height, child.height + 1);
}

void ExpressionParser::check_names() {
  if (unknown_names_.empty()) return;
  if (lenient_depth == 0) tokens_.fail_at(unknown_names_[0].first, unknown_names_[0].second);
  unknown_names_.clear();
}

ExpressionPtr ExpressionParser::parse(bool with_conditional) {
  Parsed parsed = expression(with_conditional);
  check_names();
  return std::move(parsed.node);
}

ExpressionPtr ExpressionParser::parse_tuple(bool with_conditional, std::string_view end_name) {
  Parsed parsed = tuple(with_conditional, end_name, false);
  check_names();
  return std::move(parsed.node);
}

std::unique_ptr<const Call> ExpressionParser::parse_call() {
  Parsed parsed = expression(true);
  check_names();
  const auto* call = dynamic_cast<const Call*>(parsed.node.get());
  if (call == nullptr) tokens_.fail("expected call");
  parsed.node.release();
  return std::unique_ptr<const Call>(call);
}

std::unique_ptr<const FilterCall> ExpressionParser::parse_filter_chain(bool starts_with_name) {
  Parsed chain;
  if (starts_with_name) chain = filter(std::move(chain));
  while (tokens_.accept_operator("|")) chain = filter(std::move(chain));
  check_names();
  return std::unique_ptr<const FilterCall>(static_cast<const FilterCall*>(chain.node.release()));
}

ExpressionParser::Parsed ExpressionParser::expression(bool with_conditional) {
  const Nesting nesting(*this);
  return with_conditional ? conditional() : disjunction();
}

ExpressionParser::Parsed ExpressionParser::conditional() {
  const std::size_t num_unknown = unknown_names_.size();
  Parsed value = disjunction();
  while (tokens_.accept_name("if")) {
    Parsed condition = disjunction();
    Parsed otherwise;
    if (tokens_.accept_name("else")) otherwise = expression(true);
    unknown_names_.resize(num_unknown);  // its parts may never run
    const int height = above(above(above(1, value), condition), otherwise);
    value = make<ConditionalExpression>(height, std::move(condition.node), std::move(value.node),
                                        std::move(otherwise.node));
  }
  return value;
}

ExpressionParser::Parsed ExpressionParser::logical(bool is_and, ParseOperand operand) {
  Parsed left = (this->*operand)();
  while (tokens_.accept_name(is_and ? "and" : "or")) {
    Parsed right = (this->*operand)();
    const int height = above(above(1, left), right);
    left = make<LogicalExpression>(height, is_and, std::move(left.node), std::move(right.node));
  }
  return left;
}

ExpressionParser::Parsed ExpressionParser::disjunction() {
  return logical(false, &ExpressionParser::conjunction);
}

ExpressionParser::Parsed ExpressionParser::conjunction() {
  return logical(true, &ExpressionParser::negation);
}

ExpressionParser::Parsed ExpressionParser::negation() {
  if (!tokens_.accept_name("not")) return comparison();
  const Nesting nesting(*this);
  Parsed operand = negation();
  const int height = above(1, operand);
  return make<UnaryExpression>(height, UnaryExpression::Operator::kNot, std::move(operand.node));
}

bool ExpressionParser::accept_comparison(Comparison& comparison) {
  static constexpr std::pair<std::string_view, Comparison> kOperators[] = {
      {"==", Comparison::kEqual},  {"!=", Comparison::kNotEqual},
      {"<", Comparison::kLess},    {"<=", Comparison::kLessOrEqual},
      {">", Comparison::kGreater}, {">=", Comparison::kGreaterOrEqual},
  };
  for (const auto& [text, meaning] : kOperators) {
    if (!tokens_.accept_operator(text)) continue;
    comparison = meaning;
    return true;
  }
  if (tokens_.accept_name("in")) {
    comparison = Comparison::kIn;
    return true;
  }
  const Token& next = tokens_.look();
  if (!tokens_.is_name("not") || next.kind != Kind::kName || next.text != "in") return false;
  tokens_.take();
  tokens_.take();
  comparison = Comparison::kNotIn;
  return true;
}

ExpressionParser::Parsed ExpressionParser::comparison() {
  Parsed first = sum();
  std::vector<ComparisonChain::Link> links;
  int height = above(1, first);
  for (Comparison comparison; accept_comparison(comparison);) {
    Parsed next = sum();
    height = above(height, next);
    links.emplace_back(comparison, std::move(next.node));
  }
  if (links.empty()) return first;
  return make<ComparisonChain>(height, std::move(first.node), std::move(links));
}

ExpressionParser::Parsed ExpressionParser::arithmetic(
    const std::vector<std::pair<std::string_view, BinaryOperator>>& operators,
    ParseOperand operand) {
  Parsed left = (this->*operand)();
  for (;;) {
    const auto found = std::find_if(operators.begin(), operators.end(), [&](const auto& candidate) {
      return tokens_.accept_operator(candidate.first);
    });
    if (found == operators.end()) return left;
    Parsed right = (this->*operand)();
    const int height = above(above(1, left), right);
    left =
        make<BinaryExpression>(height, found->second, std::move(left.node), std::move(right.node));
  }
}

ExpressionParser::Parsed ExpressionParser::sum() {
  return arithmetic({{"+", BinaryOperator::kAdd}, {"-", BinaryOperator::kSubtract}},
                    &ExpressionParser::concatenation);
}

ExpressionParser::Parsed ExpressionParser::concatenation() {
  Parsed first = product();
  if (!tokens_.is_operator("~")) return first;
  std::vector<ExpressionPtr> parts;
  int height = above(1, first);
  parts.push_back(std::move(first.node));
  while (tokens_.accept_operator("~")) {
    Parsed next = product();
    height = above(height, next);
    parts.push_back(std::move(next.node));
  }
  return make<Concatenation>(height, std::move(parts));
}

ExpressionParser::Parsed ExpressionParser::product() {
  return arithmetic({{"*", BinaryOperator::kMultiply},
                     {"/", BinaryOperator::kDivide},
                     {"//", BinaryOperator::kFloorDivide},
                     {"%", BinaryOperator::kModulo}},
                    &ExpressionParser::power);
}

ExpressionParser::Parsed ExpressionParser::power() {
  return arithmetic({{"**", BinaryOperator::kPower}}, &ExpressionParser::unary);
}

ExpressionParser::Parsed ExpressionParser::unary(bool with_filters) {
  Parsed result;
  const bool negates = tokens_.is_operator("-");
  if (negates || tokens_.is_operator("+")) {
    const Nesting nesting(*this);
    tokens_.take();
    Parsed operand = unary(false);
    const int height = above(1, operand);
    result = make<UnaryExpression>(
        height, negates ? UnaryExpression::Operator::kNegate : UnaryExpression::Operator::kKeepSign,
        std::move(operand.node));
  } else {
    result = primary();
  }
  result = postfix(std::move(result));
  return with_filters ? filters(std::move(result)) : std::move(result);
}

}  // namespace aurum::text::jinja

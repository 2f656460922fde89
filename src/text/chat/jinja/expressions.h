#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/chat/jinja/arguments.h"
#include "text/chat/jinja/filters.h"
#include "text/chat/jinja/operators.h"
#include "text/chat/jinja/predicates.h"
#include "text/chat/jinja/value.h"

// The part of the syntax tree that has values. Nodes never change after parsing, so threads may
// share them.
namespace aurum::text::jinja {

class Expression {
 public:
  virtual ~Expression() = default;
  virtual Value evaluate(Runtime& runtime) const = 0;
};

using ExpressionPtr = std::unique_ptr<const Expression>;

class Constant : public Expression {
 public:
  explicit Constant(Value value) : value_(std::move(value)) {}
  Value evaluate(Runtime&) const override;

 private:
  Value value_;
};

class Variable : public Expression {
 public:
  explicit Variable(std::string name) : name_(std::move(name)) {}
  Value evaluate(Runtime& runtime) const override;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

class SequenceLiteral : public Expression {
 public:
  SequenceLiteral(std::vector<ExpressionPtr> items, bool is_tuple)
      : items_(std::move(items)), is_tuple_(is_tuple) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  std::vector<ExpressionPtr> items_;
  bool is_tuple_;
};

class DictLiteral : public Expression {
 public:
  using Entry = std::pair<ExpressionPtr, ExpressionPtr>;
  explicit DictLiteral(std::vector<Entry> entries) : entries_(std::move(entries)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  std::vector<Entry> entries_;
};

class AttributeAccess : public Expression {
 public:
  AttributeAccess(ExpressionPtr owner, std::string name)
      : owner_(std::move(owner)), name_(std::move(name)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  ExpressionPtr owner_;
  std::string name_;
};

class ItemAccess : public Expression {
 public:
  ItemAccess(ExpressionPtr owner, ExpressionPtr key)
      : owner_(std::move(owner)), key_(std::move(key)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  ExpressionPtr owner_, key_;
};

class SliceAccess : public Expression {
 public:
  // A bound that is null is open.
  SliceAccess(ExpressionPtr owner, ExpressionPtr start, ExpressionPtr stop, ExpressionPtr step)
      : owner_(std::move(owner)),
        start_(std::move(start)),
        stop_(std::move(stop)),
        step_(std::move(step)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  ExpressionPtr owner_, start_, stop_, step_;
};

// (a, b, c=d, *e, **f)
struct ArgumentList {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> keywords;
  ExpressionPtr more_positional, more_keywords;  // null when absent

  Arguments evaluate(Runtime& runtime) const;
};

class Call : public Expression {
 public:
  Call(ExpressionPtr function, ArgumentList arguments)
      : function_(std::move(function)), arguments_(std::move(arguments)) {}
  Value evaluate(Runtime& runtime) const override;
  // As a {% call %} block makes it: `caller` is one keyword argument more.
  Value call_with(Runtime& runtime, const Value* caller) const;

 private:
  ExpressionPtr function_;
  ArgumentList arguments_;
};

class FilterCall : public Expression {
 public:
  // `input` is null for the filter of a block, which is applied to the block's text.
  // `filter` is null for an unknown name in a branch that may never run.
  FilterCall(ExpressionPtr input, std::string name, const Filter* filter, ArgumentList arguments)
      : input_(std::move(input)),
        name_(std::move(name)),
        filter_(filter),
        arguments_(std::move(arguments)) {}
  Value evaluate(Runtime& runtime) const override;
  // Runs a chain whose innermost filter has no input on `text`.
  Value apply_to(Runtime& runtime, const Value& text) const;

 private:
  Value apply_filter(Runtime& runtime, const Value& input) const;

  ExpressionPtr input_;
  std::string name_;
  const Filter* filter_;
  ArgumentList arguments_;
};

class TestCall : public Expression {
 public:
  TestCall(ExpressionPtr subject, std::string name, const Predicate* test, ArgumentList arguments)
      : subject_(std::move(subject)),
        name_(std::move(name)),
        test_(test),
        arguments_(std::move(arguments)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  ExpressionPtr subject_;
  std::string name_;
  const Predicate* test_;
  ArgumentList arguments_;
};

class UnaryExpression : public Expression {
 public:
  enum class Operator { kNot, kNegate, kKeepSign };
  UnaryExpression(Operator op, ExpressionPtr operand) : op_(op), operand_(std::move(operand)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  Operator op_;
  ExpressionPtr operand_;
};

class BinaryExpression : public Expression {
 public:
  BinaryExpression(BinaryOperator op, ExpressionPtr left, ExpressionPtr right)
      : op_(op), left_(std::move(left)), right_(std::move(right)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  BinaryOperator op_;
  ExpressionPtr left_, right_;
};

class LogicalExpression : public Expression {
 public:
  LogicalExpression(bool is_and, ExpressionPtr left, ExpressionPtr right)
      : is_and_(is_and), left_(std::move(left)), right_(std::move(right)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  bool is_and_;
  ExpressionPtr left_, right_;
};

class Concatenation : public Expression {
 public:
  explicit Concatenation(std::vector<ExpressionPtr> parts) : parts_(std::move(parts)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  std::vector<ExpressionPtr> parts_;
};

enum class Comparison {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kIn,
  kNotIn
};
bool compare(Comparison comparison, const Value& left, const Value& right);

// a < b <= c
class ComparisonChain : public Expression {
 public:
  using Link = std::pair<Comparison, ExpressionPtr>;
  ComparisonChain(ExpressionPtr first, std::vector<Link> links)
      : first_(std::move(first)), links_(std::move(links)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  ExpressionPtr first_;
  std::vector<Link> links_;
};

class ConditionalExpression : public Expression {
 public:
  // `otherwise` may be null: the result is then undefined.
  ConditionalExpression(ExpressionPtr condition, ExpressionPtr value, ExpressionPtr otherwise)
      : condition_(std::move(condition)),
        value_(std::move(value)),
        otherwise_(std::move(otherwise)) {}
  Value evaluate(Runtime& runtime) const override;

 private:
  ExpressionPtr condition_, value_, otherwise_;
};

}  // namespace aurum::text::jinja

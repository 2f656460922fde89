#include "text/chat/jinja/expressions.h"

#include <fmt/format.h>

#include "text/chat/jinja/access.h"
#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/runtime.h"

namespace aurum::text::jinja {

namespace {

void add_keywords(const Value& mapping, Arguments& out) {
  const Dict* dict = mapping.dict();
  if (dict == nullptr) fail("the argument after ** must be a mapping");
  for (const auto& [key, value] : dict->entries()) {
    if (key.text() == nullptr) fail("keywords must be strings");
    if (out.keyword(key.text()->bytes) != nullptr) {
      fail(fmt::format("got multiple values for keyword argument '{}'", key.text()->bytes));
    }
    out.keywords.emplace_back(key.text()->bytes, value);
  }
}

Value bound_of(const ExpressionPtr& expression, Runtime& runtime) {
  return expression ? expression->evaluate(runtime) : Value(None{});
}

}  // namespace

Value Constant::evaluate(Runtime&) const {
  count_step();
  return value_;
}

Value Variable::evaluate(Runtime& runtime) const {
  count_step();
  return runtime.look_up(name_);
}

Value SequenceLiteral::evaluate(Runtime& runtime) const {
  std::vector<Value> items;
  items.reserve(items_.size());
  for (const ExpressionPtr& item : items_) items.push_back(item->evaluate(runtime));
  return is_tuple_ ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

Value DictLiteral::evaluate(Runtime& runtime) const {
  auto dict = std::make_shared<Dict>();
  for (const auto& [key, value] : entries_) {
    Value evaluated_key = key->evaluate(runtime);
    dict->set(std::move(evaluated_key), value->evaluate(runtime));
  }
  return dict;
}

Value AttributeAccess::evaluate(Runtime& runtime) const {
  count_step();
  return attribute_of(owner_->evaluate(runtime), name_);
}

Value ItemAccess::evaluate(Runtime& runtime) const {
  count_step();
  const Value owner = owner_->evaluate(runtime);
  return item_of(owner, key_->evaluate(runtime));
}

Value SliceAccess::evaluate(Runtime& runtime) const {
  count_step();
  const Value owner = owner_->evaluate(runtime);
  const Value start = bound_of(start_, runtime), stop = bound_of(stop_, runtime);
  return slice_of(owner, start, stop, bound_of(step_, runtime));
}

Arguments ArgumentList::evaluate(Runtime& runtime) const {
  Arguments out;
  out.positional.reserve(positional.size());
  for (const ExpressionPtr& argument : positional) {
    out.positional.push_back(argument->evaluate(runtime));
  }
  for (const auto& [name, argument] : keywords) {
    out.keywords.emplace_back(name, argument->evaluate(runtime));
  }
  if (more_positional) {
    for (Value& item : items_of(more_positional->evaluate(runtime))) {
      out.positional.push_back(std::move(item));
    }
  }
  if (more_keywords) add_keywords(more_keywords->evaluate(runtime), out);
  return out;
}

Value Call::evaluate(Runtime& runtime) const { return call_with(runtime, nullptr); }

Value Call::call_with(Runtime& runtime, const Value* caller) const {
  count_step();
  const Value function = function_->evaluate(runtime);
  if (function.is_undefined()) fail(function.undefined_reason());
  if (function.object() == nullptr) {
    fail(fmt::format("'{}' object is not callable", function.type_name()));
  }
  Arguments arguments = arguments_.evaluate(runtime);
  if (caller != nullptr) arguments.keywords.emplace_back("caller", *caller);
  return function.object()->call(runtime, arguments);
}

Value FilterCall::evaluate(Runtime& runtime) const {
  return apply_filter(runtime, input_->evaluate(runtime));
}

Value FilterCall::apply_to(Runtime& runtime, const Value& text) const {
  if (!input_) return apply_filter(runtime, text);
  return apply_filter(runtime, static_cast<const FilterCall&>(*input_).apply_to(runtime, text));
}

Value FilterCall::apply_filter(Runtime& runtime, const Value& input) const {
  count_step();
  if (filter_ == nullptr) fail(fmt::format("No filter named '{}' found.", name_));
  return apply(*filter_, runtime, input, arguments_.evaluate(runtime));
}

Value TestCall::evaluate(Runtime& runtime) const {
  count_step();
  if (test_ == nullptr) fail(fmt::format("No test named '{}' found.", name_));
  const Value subject = subject_->evaluate(runtime);
  return apply(*test_, subject, arguments_.evaluate(runtime));
}

Value UnaryExpression::evaluate(Runtime& runtime) const {
  count_step();
  const Value operand = operand_->evaluate(runtime);
  switch (op_) {
    case Operator::kNot:
      return !is_true(operand);
    case Operator::kNegate:
      return negate(operand);
    case Operator::kKeepSign:
      break;
  }
  return keep_sign(operand);
}

Value BinaryExpression::evaluate(Runtime& runtime) const {
  count_step();
  const Value left = left_->evaluate(runtime);
  return apply(op_, left, right_->evaluate(runtime));
}

Value LogicalExpression::evaluate(Runtime& runtime) const {
  count_step();
  Value left = left_->evaluate(runtime);
  return is_true(left) == is_and_ ? right_->evaluate(runtime) : left;
}

Value Concatenation::evaluate(Runtime& runtime) const {
  count_step();
  std::string out;
  for (const ExpressionPtr& part : parts_) {
    const Value value = part->evaluate(runtime);
    const std::string text = to_text(value);
    check_memory(out.size() + text.size());
    out += text;
  }
  return out;
}

bool compare(Comparison comparison, const Value& left, const Value& right) {
  switch (comparison) {
    case Comparison::kEqual:
      return are_equal(left, right);
    case Comparison::kNotEqual:
      return !are_equal(left, right);
    case Comparison::kLess:
      return is_less(left, right);
    case Comparison::kLessOrEqual:
      return is_less(left, right) || are_equal(left, right);
    case Comparison::kGreater:
      return is_less(right, left);
    case Comparison::kGreaterOrEqual:
      return is_less(right, left) || are_equal(left, right);
    case Comparison::kIn:
      return contains(right, left);
    case Comparison::kNotIn:
      break;
  }
  return !contains(right, left);
}

Value ComparisonChain::evaluate(Runtime& runtime) const {
  count_step();
  Value left = first_->evaluate(runtime);
  for (const auto& [comparison, expression] : links_) {
    Value right = expression->evaluate(runtime);
    if (!compare(comparison, left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value ConditionalExpression::evaluate(Runtime& runtime) const {
  count_step();
  if (is_true(condition_->evaluate(runtime))) return value_->evaluate(runtime);
  if (otherwise_) return otherwise_->evaluate(runtime);
  return Value::undefined(
      "the inline if-expression evaluated to false and no else section was defined");
}

}  // namespace aurum::text::jinja

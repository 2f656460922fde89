#include "text/chat/jinja/predicates.h"

#include <fmt/format.h>

#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/expressions.h"
#include "text/chat/jinja/filters.h"
#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/operators.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

namespace {

using Bound = const BoundArguments&;

bool rest_is(const Value& value, const Value& divisor, Integer rest) {
  return are_equal(apply(BinaryOperator::kModulo, value, divisor), Value(rest));
}

template <Comparison kComparison>
bool compares(const Value& value, Bound a) {
  return compare(kComparison, value, a.at(0));
}

bool is_callable(const Value& value) {
  return value.is_undefined() || (value.object() != nullptr && value.object()->is_callable());
}

// Whether a table that `find` searches has the name; a value that cannot be a key fails.
template <auto find>
bool names_entry(const Value& value, Bound) {
  hash_of(value);
  return value.text() != nullptr && find(value.text()->bytes) != nullptr;
}

bool is_sequence(const Value& value) {
  if (value.is_undefined() || value.text() != nullptr || value.dict() != nullptr) return true;
  return value.range() != nullptr || (value.sequence() != nullptr && !value.sequence()->is_view());
}

const Signature kNone{};
const Signature kOther{{"other"}, 1};

const Predicate kPredicates[] = {
    {"!=", kOther, compares<Comparison::kNotEqual>},
    {"<", kOther, compares<Comparison::kLess>},
    {"<=", kOther, compares<Comparison::kLessOrEqual>},
    {"==", kOther, compares<Comparison::kEqual>},
    {">", kOther, compares<Comparison::kGreater>},
    {">=", kOther, compares<Comparison::kGreaterOrEqual>},
    {"boolean", kNone, [](const Value& v, Bound) { return v.is_bool(); }},
    {"callable", kNone, [](const Value& v, Bound) { return is_callable(v); }},
    {"defined", kNone, [](const Value& v, Bound) { return !v.is_undefined(); }},
    {"divisibleby", {{"num"}, 1}, [](const Value& v, Bound a) { return rest_is(v, a.at(0), 0); }},
    {"eq", kOther, compares<Comparison::kEqual>},
    {"equalto", kOther, compares<Comparison::kEqual>},
    {"escaped", kNone,
     [](const Value& v, Bound) { return v.text() != nullptr && v.text()->is_markup; }},
    {"even", kNone, [](const Value& v, Bound) { return rest_is(v, Value(2), 0); }},
    {"false", kNone, [](const Value& v, Bound) { return v.is_bool() && !is_true(v); }},
    {"filter", kNone, names_entry<find_filter>},
    {"float", kNone, [](const Value& v, Bound) { return v.is_float(); }},
    {"ge", kOther, compares<Comparison::kGreaterOrEqual>},
    {"greaterthan", kOther, compares<Comparison::kGreater>},
    {"gt", kOther, compares<Comparison::kGreater>},
    {"in", {{"seq"}, 1}, [](const Value& v, Bound a) { return contains(a.at(0), v); }},
    {"integer", kNone, [](const Value& v, Bound) { return v.is_integer(); }},
    {"iterable", kNone, [](const Value& v, Bound) { return is_iterable(v); }},
    {"le", kOther, compares<Comparison::kLessOrEqual>},
    {"lessthan", kOther, compares<Comparison::kLess>},
    {"lower", kNone, [](const Value& v, Bound) { return is_lower(to_text(v)); }},
    {"lt", kOther, compares<Comparison::kLess>},
    {"mapping", kNone, [](const Value& v, Bound) { return v.dict() != nullptr; }},
    {"ne", kOther, compares<Comparison::kNotEqual>},
    {"none", kNone, [](const Value& v, Bound) { return v.is_none(); }},
    {"number", kNone, [](const Value& v, Bound) { return v.is_number(); }},
    {"odd", kNone, [](const Value& v, Bound) { return rest_is(v, Value(2), 1); }},
    {"sameas", kOther, [](const Value& v, Bound a) { return v.same_object(a.at(0)); }},
    {"sequence", kNone, [](const Value& v, Bound) { return is_sequence(v); }},
    {"string", kNone, [](const Value& v, Bound) { return v.text() != nullptr; }},
    {"test", kNone, names_entry<find_predicate>},
    {"true", kNone, [](const Value& v, Bound) { return v.is_bool() && is_true(v); }},
    {"undefined", kNone, [](const Value& v, Bound) { return v.is_undefined(); }},
    {"upper", kNone, [](const Value& v, Bound) { return is_upper(to_text(v)); }},
};

}  // namespace

const Predicate* find_predicate(std::string_view name) {
  for (const Predicate& predicate : kPredicates) {
    if (predicate.name == name) return &predicate;
  }
  return nullptr;
}

bool apply(const Predicate& predicate, const Value& value, const Arguments& arguments) {
  return predicate.holds(value, BoundArguments(predicate.name, predicate.signature, arguments));
}

}  // namespace aurum::text::jinja

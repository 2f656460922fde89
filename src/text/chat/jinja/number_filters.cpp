// Filters whose result is a number, and default().

#include <cmath>

#include <fmt/format.h>

#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/filters.h"
#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/operators.h"
#include "text/chat/jinja/python_numbers.h"

namespace aurum::text::jinja {

namespace {

using Bound = const BoundArguments&;

Value absolute(const Value& input, Bound) {
  if (const auto integer = input.as_integer()) return *integer < 0 ? -*integer : *integer;
  if (input.is_float()) return std::abs(*input.as_float());
  if (input.is_undefined()) fail(input.undefined_reason());
  fail(fmt::format("bad operand type for abs(): '{}'", input.type_name()));
}

Value default_value(const Value& input, Bound a) {
  const bool replaces = input.is_undefined() || (a.flag(1, false) && !is_true(input));
  if (!replaces) return input;
  return a.find(0) != nullptr ? *a.find(0) : Value("");
}

Value to_integer(const Value& input, Bound a) {
  const Value otherwise = a.find(0) != nullptr ? *a.find(0) : Value(0);
  if (input.is_undefined()) fail(input.undefined_reason());
  if (const auto integer = input.as_integer()) return *integer;
  if (const Text* text = input.text()) {
    if (const auto integer = parse_integer(text->bytes, a.integer(1, 10))) return *integer;
    const auto number = parse_float(text->bytes);
    return number && std::isfinite(*number) ? Value(truncate_float(*number)) : otherwise;
  }
  if (!input.is_float()) return otherwise;
  const double number = *input.as_float();
  if (std::isinf(number)) fail("cannot convert float infinity to integer");
  return std::isnan(number) ? otherwise : Value(truncate_float(number));
}

Value to_float(const Value& input, Bound a) {
  const Value otherwise = a.find(0) != nullptr ? *a.find(0) : Value(0.0);
  if (input.is_undefined()) fail(input.undefined_reason());
  if (const auto number = input.as_float()) return *number;
  const auto number = input.text() != nullptr ? parse_float(input.text()->bytes) : std::nullopt;
  return number ? Value(*number) : otherwise;
}

Value round_number(const Value& input, Bound a) {
  const std::string method = a.find(1) != nullptr ? a.text(1) : "common";
  const std::int64_t precision = a.integer(0, 0);
  if (method != "common" && method != "ceil" && method != "floor") {
    fail("method must be common, ceil or floor");
  }
  if (input.is_undefined()) fail(input.undefined_reason());
  if (!input.is_number()) fail(fmt::format("round of a value of type {}", input.type_name()));
  if (method == "common") {
    if (const auto integer = input.as_integer()) return round_integer(*integer, precision);
    return round_float(*input.as_float(), precision);
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = *input.as_float() * scale;
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
}

Value length(const Value& input, Bound) {
  const auto count = length_of(input);
  if (!count) fail(fmt::format("object of type '{}' has no len()", input.type_name()));
  return *count;
}

Value sum(const Value& input, Bound a) {
  const AttributePath path(a.find(0));
  Value total = a.find(1) != nullptr ? *a.find(1) : Value(0);
  if (total.text() != nullptr) fail("sum() can't sum strings");
  Cursor cursor(input);
  while (const auto item = cursor.next()) {
    count_step();
    total = apply(BinaryOperator::kAdd, total, path.read(*item));
  }
  return total;
}

const Filter kFilters[] = {
    {"abs", {}, absolute},
    {"count", {}, length},
    {"d", {{"default_value", "boolean"}, 0}, default_value},
    {"default", {{"default_value", "boolean"}, 0}, default_value},
    {"float", {{"default"}, 0}, to_float},
    {"int", {{"default", "base"}, 0}, to_integer},
    {"length", {}, length},
    {"round", {{"precision", "method"}, 0}, round_number},
    {"sum", {{"attribute", "start"}, 0}, sum},
};

}  // namespace

const Filter* find_number_filter(std::string_view name) { return find_in(kFilters, name); }

}  // namespace aurum::text::jinja

#include "text/chat/jinja/operators.h"

#include <cmath>

#include <fmt/format.h>

#include "text/chat/jinja/printf_format.h"
#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

namespace {

constexpr const char* kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};

[[noreturn]] void fail_for_types(BinaryOperator op, const Value& left, const Value& right) {
  fail(fmt::format("unsupported operand types for {}: '{}' and '{}'",
                   kSymbols[static_cast<int>(op)], left.type_name(), right.type_name()));
}

Value add_texts(const Text& left, const Text& right) {
  check_memory(left.bytes.size() + right.bytes.size());
  const bool is_markup = left.is_markup || right.is_markup;
  const auto part = [&](const Text& text) {
    return is_markup && !text.is_markup ? escape_html(text.bytes) : text.bytes;
  };
  return Value::make_text(part(left) + part(right), is_markup);
}

Value add_sequences(const Sequence& left, const Sequence& right) {
  check_memory(left.items.size() + right.items.size(), sizeof(Value));
  std::vector<Value> items;
  items.reserve(left.items.size() + right.items.size());
  items.insert(items.end(), left.items.begin(), left.items.end());
  items.insert(items.end(), right.items.begin(), right.items.end());
  return make_sequence(std::move(items), left.form == Sequence::Form::kList
                                             ? Sequence::Form::kList
                                             : Sequence::Form::kTuple);
}

Value repeat_sequence(const Sequence& sequence, std::int64_t count) {
  const std::size_t times =
      count < 0 || sequence.items.empty() ? 0 : static_cast<std::size_t>(count);
  if (times > 0) check_memory(times, sequence.items.size() * sizeof(Value));
  std::vector<Value> items;
  items.reserve(times * sequence.items.size());
  for (std::size_t i = 0; i < times; ++i) {
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return make_sequence(std::move(items), sequence.form);
}

// text * count, list * count and their mirror images; nullopt for other operands.
std::optional<Value> try_repeat(const Value& value, const Value& count) {
  const auto times = count.as_integer();
  if (!times) return std::nullopt;
  if (const Text* text = value.text()) {
    return Value::make_text(repeat(text->bytes, clamp_to_64_bits(*times)), text->is_markup);
  }
  if (value.is_list() || value.is_tuple()) {
    return repeat_sequence(*value.sequence(), clamp_to_64_bits(*times));
  }
  return std::nullopt;
}

std::optional<Value> try_containers(BinaryOperator op, const Value& left, const Value& right) {
  if (op == BinaryOperator::kAdd) {
    if (left.text() != nullptr && right.text() != nullptr) {
      return add_texts(*left.text(), *right.text());
    }
    if ((left.is_list() && right.is_list()) || (left.is_tuple() && right.is_tuple())) {
      return add_sequences(*left.sequence(), *right.sequence());
    }
  }
  if (op == BinaryOperator::kMultiply) {
    if (auto repeated = try_repeat(left, right)) return repeated;
    return try_repeat(right, left);
  }
  if (op == BinaryOperator::kModulo && left.text() != nullptr) {
    return printf_format(*left.text(), right);
  }
  return std::nullopt;
}

Integer floor_divide(Integer a, Integer b) {
  const Integer quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

Value apply_to_integers(BinaryOperator op, Integer a, Integer b) {
  switch (op) {
    case BinaryOperator::kAdd:
      return add(a, b);
    case BinaryOperator::kSubtract:
      return subtract(a, b);
    case BinaryOperator::kMultiply:
      return multiply(a, b);
    case BinaryOperator::kDivide:
      return static_cast<double>(a) / static_cast<double>(b);
    case BinaryOperator::kFloorDivide:
      return floor_divide(a, b);
    case BinaryOperator::kModulo:
      return subtract(a, multiply(b, floor_divide(a, b)));
    case BinaryOperator::kPower:
      break;
  }
  return power(a, b);
}

double float_modulo(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0.0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

// As CPython: derived from the remainder, since floor(a / b) may round up.
double float_floor_divide(double a, double b) {
  const double quotient = (a - float_modulo(a, b)) / b;
  if (quotient == 0.0) return std::copysign(0.0, a / b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1.0 : floor;
}

double float_power(double a, double b) {
  if (a == 0.0 && b < 0) fail("0.0 cannot be raised to a negative power");
  if (a < 0 && b != std::floor(b)) fail("complex numbers are not supported");
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) fail("result too large");
  return result;
}

Value apply_to_floats(BinaryOperator op, double a, double b) {
  switch (op) {
    case BinaryOperator::kAdd:
      return a + b;
    case BinaryOperator::kSubtract:
      return a - b;
    case BinaryOperator::kMultiply:
      return a * b;
    case BinaryOperator::kDivide:
      return a / b;
    case BinaryOperator::kFloorDivide:
      return float_floor_divide(a, b);
    case BinaryOperator::kModulo:
      return float_modulo(a, b);
    case BinaryOperator::kPower:
      break;
  }
  return float_power(a, b);
}

bool is_division(BinaryOperator op) {
  return op == BinaryOperator::kDivide || op == BinaryOperator::kFloorDivide ||
         op == BinaryOperator::kModulo;
}

Value apply_to_numbers(BinaryOperator op, const Value& left, const Value& right) {
  if (is_division(op) && *right.as_float() == 0.0) fail("division by zero");
  if (left.is_float() || right.is_float()) {
    return apply_to_floats(op, *left.as_float(), *right.as_float());
  }
  const Integer a = *left.as_integer(), b = *right.as_integer();
  if (op == BinaryOperator::kPower && b < 0) {
    return float_power(static_cast<double>(a), static_cast<double>(b));
  }
  return apply_to_integers(op, a, b);
}

}  // namespace

Value apply(BinaryOperator op, const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) return apply_to_numbers(op, left, right);
  // "%s" % undefined formats; every other operator refuses undefined values.
  const bool formats = op == BinaryOperator::kModulo && left.text() != nullptr;
  if (left.is_undefined()) fail(left.undefined_reason());
  if (right.is_undefined() && !formats) fail(right.undefined_reason());
  if (auto result = try_containers(op, left, right)) return *result;
  fail_for_types(op, left, right);
}

Value negate(const Value& value) {
  if (const auto integer = value.as_integer()) return -*integer;
  if (value.is_float()) return -*value.as_float();
  if (value.is_undefined()) fail(value.undefined_reason());
  fail(fmt::format("bad operand type for unary -: '{}'", value.type_name()));
}

Value keep_sign(const Value& value) {
  if (const auto integer = value.as_integer()) return *integer;
  if (value.is_float()) return value;
  if (value.is_undefined()) fail(value.undefined_reason());
  fail(fmt::format("bad operand type for unary +: '{}'", value.type_name()));
}

}  // namespace aurum::text::jinja

#pragma once

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

enum class BinaryOperator { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };

// `left op right` as Python computes it.
Value apply(BinaryOperator op, const Value& left, const Value& right);

Value negate(const Value& value);
Value keep_sign(const Value& value);  // +value

}  // namespace aurum::text::jinja

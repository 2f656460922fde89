#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

std::string integer_text(Integer value);

// repr(float): the shortest digits that read back, with an exponent below 1e-4 and from 1e16.
std::string float_text(double value);

// round(value, digits), correctly rounded, ties to even.
double round_float(double value, std::int64_t digits);
Integer round_integer(Integer value, std::int64_t digits);

// int(text, base) and float(text); nullopt when the text is not a number.
std::optional<Integer> parse_integer(std::string_view text, std::int64_t base);
std::optional<double> parse_float(std::string_view text);

// int(value); fails for infinities, NaN and beyond 127 bits.
Integer truncate_float(double value);

// The value as a whole number within 64 bits, clamped: what positions and counts are.
std::int64_t clamp_to_64_bits(Integer value);

// These fail beyond 127 bits.
Integer add(Integer a, Integer b);
Integer subtract(Integer a, Integer b);
Integer multiply(Integer a, Integer b);
Integer power(Integer base, Integer exponent);

}  // namespace aurum::text::jinja

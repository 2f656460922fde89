#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// How '%' conversions and format specifications lay out one value.
struct NumberLayout {
  char type = 0;           // d b o x X e E f F g G %, or 0 for the type's own
  char sign = '-';         // '+' and ' ' mark positive numbers too
  bool alternate = false;  // '#'
  char grouping = 0;       // ',' or '_'
  std::optional<std::int64_t> precision;
};

// Digits with their sign and base prefix apart, so that zeros can be put between.
struct FormattedNumber {
  std::string sign_and_prefix, digits;
};

FormattedNumber format_integer(Integer value, const NumberLayout& layout);
FormattedNumber format_float(double value, const NumberLayout& layout);

// Zeros between the prefix and the digits up to `width`, in groups where there is a grouping.
std::string pad_with_zeros(const FormattedNumber& number, std::int64_t width, char grouping);

}  // namespace aurum::text::jinja

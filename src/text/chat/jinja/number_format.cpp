#include "text/chat/jinja/number_format.h"

#include <array>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>

#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

namespace {

constexpr std::int64_t kMostPrecision = 1'000;

std::string sign_of(bool is_negative, char sign) {
  if (is_negative) return "-";
  return sign == '+' || sign == ' ' ? std::string(1, sign) : "";
}

// Puts `separator` between groups of digits, counted from the right.
std::string group(const std::string& digits, char separator, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % size == 0) out += separator;
    out += digits[i];
  }
  return out;
}

// Groups the whole part of a decimal number and leaves the rest.
std::string group_whole_part(const std::string& number, char separator) {
  std::size_t whole = 0;
  while (whole < number.size() && number[whole] >= '0' && number[whole] <= '9') ++whole;
  return group(number.substr(0, whole), separator, 3) + number.substr(whole);
}

std::string integer_digits(Integer magnitude, char type) {
  switch (type) {
    case 'b':
      return fmt::format("{:b}", magnitude);
    case 'o':
      return fmt::format("{:o}", magnitude);
    case 'x':
      return fmt::format("{:x}", magnitude);
    case 'X':
      return fmt::format("{:X}", magnitude);
    default:
      return integer_text(magnitude);
  }
}

// str(float) written with the digits of %r: what an empty type means.
std::string plain_digits(double magnitude, const NumberLayout& layout) {
  if (!layout.precision) return float_text(magnitude);
  // Like 'g', but with at least one digit behind the point and an exponent one earlier.
  const auto precision = static_cast<int>(*layout.precision == 0 ? 1 : *layout.precision);
  std::string text = fmt::format("{:.{}g}", magnitude, precision);
  if (text.find_first_of(".e") != std::string::npos) return text;
  if (static_cast<int>(text.size()) < precision) return text + ".0";
  text = fmt::format("{:.{}e}", magnitude, precision - 1);
  const std::size_t e = text.find('e');
  std::string mantissa = text.substr(0, e);
  if (mantissa.find('.') != std::string::npos) {
    mantissa.erase(mantissa.find_last_not_of('0') + 1);
    if (mantissa.back() == '.') mantissa.pop_back();
  }
  return mantissa + text.substr(e);
}

// '#' keeps the point and a 'g' all its digits. fmt would add a digit behind the point.
std::string alternate_digits(double magnitude, int precision, char type) {
  const char conversion[] = {'%', '#', '.', '*', type, '\0'};
  std::array<char, kMostPrecision + 320> text{};  // the longest double has 309 digits
  const int size = std::snprintf(text.data(), text.size(), conversion, precision, magnitude);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string float_digits(double magnitude, const NumberLayout& layout) {
  const auto precision = static_cast<int>(layout.precision.value_or(6));
  if (layout.alternate && layout.type != 0 && layout.type != '%') {
    return alternate_digits(magnitude, precision, layout.type == 'n' ? 'g' : layout.type);
  }
  switch (layout.type) {
    case 'e':
      return fmt::format("{:.{}e}", magnitude, precision);
    case 'E':
      return fmt::format("{:.{}E}", magnitude, precision);
    case 'g':
    case 'n':
      return fmt::format("{:.{}g}", magnitude, precision);
    case 'G':
      return fmt::format("{:.{}G}", magnitude, precision);
    case '%':
      return fmt::format("{:.{}f}%", magnitude * 100, precision);
    case 0:
      return plain_digits(magnitude, layout);
    default:
      return fmt::format("{:.{}f}", magnitude, precision);
  }
}

}  // namespace

FormattedNumber format_integer(Integer value, const NumberLayout& layout) {
  const bool is_binary =
      layout.type == 'b' || layout.type == 'o' || layout.type == 'x' || layout.type == 'X';
  std::string prefix = sign_of(value < 0, layout.sign);
  if (layout.alternate && is_binary) prefix += std::string("0") + layout.type;
  std::string digits = integer_digits(value < 0 ? -value : value, layout.type);
  if (layout.grouping != 0) digits = group(digits, layout.grouping, is_binary ? 4 : 3);
  return {prefix, digits};
}

FormattedNumber format_float(double value, const NumberLayout& layout) {
  if (layout.precision && *layout.precision > kMostPrecision) fail("precision too big");
  const std::string sign = sign_of(std::signbit(value) && !std::isnan(value), layout.sign);
  if (!std::isfinite(value)) {
    std::string name = std::isnan(value) ? "nan" : "inf";
    if (layout.type == 'E' || layout.type == 'F' || layout.type == 'G') name = to_upper(name);
    return {sign, layout.type == '%' ? name + "%" : name};
  }
  std::string digits = float_digits(std::abs(value), layout);
  if (layout.grouping != 0) digits = group_whole_part(digits, layout.grouping);
  return {sign, digits};
}

std::string pad_with_zeros(const FormattedNumber& number, std::int64_t width, char grouping) {
  const auto prefix = static_cast<std::int64_t>(number.sign_and_prefix.size());
  std::string digits = number.digits;
  const auto missing = width - prefix - static_cast<std::int64_t>(digits.size());
  if (missing <= 0) return number.sign_and_prefix + digits;
  check_memory(static_cast<std::size_t>(missing), 3);
  if (grouping == 0) return number.sign_and_prefix + repeat("0", missing) + digits;
  std::size_t first_group = digits.find_first_not_of("0123456789");
  if (first_group == std::string::npos) first_group = digits.size();
  while (static_cast<std::int64_t>(digits.size()) < width - prefix) {
    if (first_group == 3) {
      digits.insert(0, std::string("0") + grouping);
      first_group = 1;
    } else {
      digits.insert(0, "0");
      ++first_group;
    }
  }
  return number.sign_and_prefix + digits;
}

}  // namespace aurum::text::jinja

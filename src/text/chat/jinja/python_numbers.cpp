#include "text/chat/jinja/python_numbers.h"

#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

namespace {

constexpr Integer kMost = (Integer{1} << 126) - 1 + (Integer{1} << 126);

[[noreturn]] void fail_too_big() { fail("a whole number is beyond 127 bits"); }

// No number that a template can use is longer.
constexpr std::size_t kLongestNumber = 5'000;

// Drops the underscores of "1_000"; nullopt when one does not stand between digits.
std::optional<std::string> without_underscores(std::string_view text) {
  if (text.size() > kLongestNumber) fail("a number has too many digits");
  std::string out;
  const auto is_digit_at = [&](std::size_t i) {
    return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i])) != 0;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || !is_digit_at(i - 1) || !is_digit_at(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int lower = c | 0x20;
  return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

int base_of_prefix(std::string_view digits) {
  if (digits.size() < 2 || digits[0] != '0') return 0;
  const int letter = digits[1] | 0x20;
  return letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
}

std::optional<Integer> parse_digits(std::string_view digits, int base) {
  if (digits.empty()) return std::nullopt;
  Integer value = 0;
  for (const char c : digits) {
    const int digit = digit_value(c);
    if (digit >= base) return std::nullopt;
    value = add(multiply(value, base), digit);
  }
  return value;
}

}  // namespace

std::string integer_text(Integer value) { return fmt::format("{}", value); }

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto scientific =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string_view shortest(buffer, static_cast<std::size_t>(scientific.ptr - buffer));
  const std::size_t e = shortest.find('e');
  const int exponent = std::stoi(std::string(shortest.substr(e + 1)));
  if (exponent < -4 || exponent >= 16) return std::string(shortest);
  const auto fixed =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed);
  std::string text(buffer, fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

double round_float(double value, std::int64_t digits) {
  if (!std::isfinite(value) || digits > 323) return value;
  if (digits < -308) return std::copysign(0.0, value);
  if (digits >= 0) {
    const std::string text = fmt::format("{:.{}f}", value, digits);
    return std::strtod(text.c_str(), nullptr);
  }
  const double scale = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(value / scale) * scale;
}

Integer round_integer(Integer value, std::int64_t digits) {
  if (digits >= 0) return value;
  if (digits < -37) return 0;
  const Integer scale = power(10, -digits);
  Integer rest = value % scale;
  if (rest < 0) rest += scale;
  const Integer down = value - rest;
  const bool is_odd = (down / scale) % 2 != 0;
  return rest * 2 > scale || (rest * 2 == scale && is_odd) ? add(down, scale) : down;
}

std::optional<Integer> parse_integer(std::string_view text, std::int64_t base) {
  text = strip(text, std::nullopt, Side::kBoth);
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  const int prefix = base_of_prefix(text);
  if (prefix != 0 && (base == 0 || base == prefix)) {
    base = prefix;
    text.remove_prefix(2);
    if (text.starts_with('_')) text.remove_prefix(1);
  }
  const auto digits = without_underscores(text);
  if (!digits) return std::nullopt;
  if (base == 0) {
    base = 10;
    if (digits->size() > 1 && (*digits)[0] == '0' &&
        digits->find_first_not_of('0') != std::string::npos) {
      return std::nullopt;
    }
  }
  const auto value = parse_digits(*digits, static_cast<int>(base));
  if (!value) return std::nullopt;
  return negative ? -*value : *value;
}

std::optional<double> parse_float(std::string_view text) {
  text = strip(text, std::nullopt, Side::kBoth);
  const auto digits = without_underscores(text);
  if (!digits || digits->empty()) return std::nullopt;
  const std::string unsigned_part =
      to_lower((*digits)[0] == '-' || (*digits)[0] == '+' ? digits->substr(1) : *digits);
  const bool named =
      unsigned_part == "inf" || unsigned_part == "infinity" || unsigned_part == "nan";
  // strtod also reads hexadecimal and "nan(...)", which Python does not.
  if (!named && unsigned_part.find_first_not_of("0123456789.e+-") != std::string::npos) {
    return std::nullopt;
  }
  char* end = nullptr;
  const double value = std::strtod(digits->c_str(), &end);
  if (end != digits->c_str() + digits->size()) return std::nullopt;
  return value;
}

Integer truncate_float(double value) {
  if (std::isnan(value)) fail("cannot convert float NaN to integer");
  if (std::isinf(value)) fail("cannot convert float infinity to integer");
  if (std::abs(value) >= 1.7e38) fail_too_big();
  return static_cast<Integer>(value);
}

std::int64_t clamp_to_64_bits(Integer value) {
  constexpr std::int64_t kLow = std::numeric_limits<std::int64_t>::min() + 1;
  constexpr std::int64_t kHigh = std::numeric_limits<std::int64_t>::max();
  return value < kLow ? kLow : value > kHigh ? kHigh : static_cast<std::int64_t>(value);
}

Integer add(Integer a, Integer b) {
  if (b > 0 ? a > kMost - b : a < -kMost - b) fail_too_big();
  return a + b;
}

Integer subtract(Integer a, Integer b) { return add(a, -b); }

Integer multiply(Integer a, Integer b) {
  const auto magnitude = [](Integer x) { return x < 0 ? -x : x; };
  if (a != 0 && magnitude(b) > kMost / magnitude(a)) fail_too_big();
  return a * b;
}

Integer power(Integer base, Integer exponent) {
  if (exponent > 0 && (base == 0 || base == 1)) return base;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  Integer result = 1;
  for (; exponent > 0; --exponent) result = multiply(result, base);
  return result;
}

}  // namespace aurum::text::jinja

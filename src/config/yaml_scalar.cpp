#include "config/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include <fmt/format.h>

namespace aurum::config {

namespace {

constexpr std::string_view kDigits = "0123456789";

bool all_of(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string without_underscores(std::string_view text) {
  std::string out(text);
  std::erase(out, '_');
  return out;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::optional<std::int64_t> parse_digits(std::string_view digits, int base, bool is_negative) {
  const std::string plain = (is_negative ? "-" : "") + without_underscores(digits);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value, base);
  if (error != std::errc() || end != plain.data() + plain.size()) return std::nullopt;
  return value;
}

// Splits off the sign; true when it is a minus.
bool take_sign(std::string_view& text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  return is_negative;
}

std::optional<std::int64_t> type_integer(std::string_view text) {
  const bool is_negative = take_sign(text);
  if (text.starts_with("0x") && all_of(text.substr(2), "0123456789abcdefABCDEF_")) {
    return parse_digits(text.substr(2), 16, is_negative);
  }
  if (text.starts_with("0b") && all_of(text.substr(2), "01_")) {
    return parse_digits(text.substr(2), 2, is_negative);
  }
  if (text == "0") return 0;
  if (text.starts_with('0')) {
    return all_of(text.substr(1), "01234567_") ? parse_digits(text.substr(1), 8, is_negative)
                                               : std::nullopt;
  }
  const bool is_decimal = all_of(text, "0123456789_") && text[0] != '_';
  return is_decimal ? parse_digits(text, 10, is_negative) : std::nullopt;
}

// Whether OmegaConf's pattern for floats fits: digits with a point, an exponent, or both.
bool looks_like_float(std::string_view text) {
  take_sign(text);
  const std::size_t exponent = text.find_first_of("eE");
  const std::string_view mantissa = text.substr(0, exponent);
  if (exponent != std::string_view::npos) {
    std::string_view power = text.substr(exponent + 1);
    take_sign(power);
    if (!all_of(power, kDigits)) return false;
  }
  const std::size_t point = mantissa.find('.');
  if (point == std::string_view::npos && exponent == std::string_view::npos) return false;
  const std::string_view whole = mantissa.substr(0, point);
  const std::string_view rest = point == std::string_view::npos ? "" : mantissa.substr(point + 1);
  if (!whole.empty() && (!all_of(whole, "0123456789_") || whole[0] == '_')) return false;
  if (!rest.empty() && !all_of(rest, "0123456789_")) return false;
  return !whole.empty() || all_of(rest, kDigits);
}

std::optional<double> from_chars_double(std::string_view text) {
  const bool is_negative = take_sign(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // 1e400 is infinity and 1e-400 is zero, as in Python.
    value = text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos
                ? 0.0
                : std::numeric_limits<double>::infinity();
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return is_negative ? -value : value;
}

std::string lowercase(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Python's repr of a finite float: shortest digits, an exponent below 1e-4 and from 1e16 on.
std::string python_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 64> buffer;
  const double size = std::abs(value);
  const bool with_exponent = size != 0 && (size < 1e-4 || size >= 1e16);
  const auto format = with_exponent ? std::chars_format::scientific : std::chars_format::fixed;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr;
  std::string text(buffer.data(), end);
  return with_exponent || text.find('.') != std::string::npos ? text : text + ".0";
}

}  // namespace

Json type_plain_scalar(const std::string& text) {
  if (text.empty() || is_one_of(text, {"~", "null", "Null", "NULL"})) return nullptr;
  if (is_one_of(text, {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})) return true;
  if (is_one_of(text, {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})) {
    return false;
  }
  if (const auto integer = type_integer(text)) return *integer;
  std::string_view unsigned_text = text;
  const bool is_negative = take_sign(unsigned_text);
  if (is_one_of(unsigned_text, {".inf", ".Inf", ".INF"})) {
    const double infinity = std::numeric_limits<double>::infinity();
    return is_negative ? -infinity : infinity;
  }
  if (is_one_of(text, {".nan", ".NaN", ".NAN"})) return std::numeric_limits<double>::quiet_NaN();
  if (looks_like_float(text)) {
    if (const auto number = from_chars_double(without_underscores(text))) return *number;
  }
  return text;
}

std::optional<std::int64_t> parse_integer(const std::string& text) {
  std::string_view digits = trim(text);
  const bool is_negative = take_sign(digits);
  if (!all_of(digits, "0123456789_") || digits.front() == '_' || digits.back() == '_' ||
      digits.find("__") != std::string_view::npos) {
    return std::nullopt;
  }
  return parse_digits(digits, 10, is_negative);
}

std::optional<double> parse_float(const std::string& text) {
  const std::string_view trimmed = trim(text);
  if (trimmed.find("0x") != std::string_view::npos) return std::nullopt;
  std::string_view word = trimmed;
  const bool is_negative = take_sign(word);
  const std::string lower = lowercase(word);
  if (lower == "inf" || lower == "infinity") {
    return is_negative ? -std::numeric_limits<double>::infinity()
                       : std::numeric_limits<double>::infinity();
  }
  if (lower == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (word.starts_with('_') || word.ends_with('_')) return std::nullopt;
  return from_chars_double(without_underscores(trimmed));
}

std::string python_text(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_number_float()) return python_float(value.get<double>());
  if (value.is_string()) return value.get<std::string>();
  return value.dump();
}

}  // namespace aurum::config

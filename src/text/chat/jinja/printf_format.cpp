#include "text/chat/jinja/printf_format.h"

#include <cmath>

#include <fmt/format.h>

#include "text/chat/jinja/number_format.h"
#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/python_text.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

constexpr std::int64_t kMostWidth = 1'000'000'000;

// One conversion such as %-08.3f.
struct Conversion {
  bool left = false, zeros = false;
  NumberLayout layout;
  std::int64_t width = 0;
  char type = 0;
};

class PrintfFormatter {
 public:
  PrintfFormatter(const Text& format, const Value& arguments)
      : format_(format.bytes), is_markup_(format.is_markup), arguments_(arguments) {}

  std::string run() {
    while (at_ < format_.size()) {
      const std::size_t percent = std::min(format_.find('%', at_), format_.size());
      out_ += format_.substr(at_, percent - at_);
      at_ = percent + 1;
      if (percent < format_.size()) convert();
    }
    check_all_used();
    return std::move(out_);
  }

 private:
  char take() {
    if (at_ >= format_.size()) fail("incomplete format");
    return format_[at_++];
  }

  bool accept(char c) {
    if (at_ >= format_.size() || format_[at_] != c) return false;
    ++at_;
    return true;
  }

  void convert() {
    if (accept('(')) read_key();
    Conversion conversion;
    read_flags(conversion);
    conversion.width = read_number();
    if (conversion.width < 0) {  // only "*" gives negative widths
      conversion.left = true;
      conversion.width = -conversion.width;
    }
    if (accept('.')) conversion.layout.precision = std::max<std::int64_t>(0, read_number());
    while (accept('h') || accept('l') || accept('L')) {
    }
    conversion.type = take();
    if (conversion.type == '%') {
      out_ += '%';
    } else {
      print(conversion, next_argument());
    }
    key_.reset();
  }

  void read_key() {
    const std::size_t begin = at_;
    for (int depth = 1; depth > 0;) {
      const char c = take();
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    }
    key_ = format_.substr(begin, at_ - begin - 1);
  }

  void read_flags(Conversion& conversion) {
    for (;;) {
      if (accept('-')) {
        conversion.left = true;
      } else if (accept('+')) {
        conversion.layout.sign = '+';
      } else if (accept(' ')) {
        if (conversion.layout.sign != '+') conversion.layout.sign = ' ';
      } else if (accept('#')) {
        conversion.layout.alternate = true;
      } else if (accept('0')) {
        conversion.zeros = true;
      } else {
        return;
      }
    }
  }

  std::int64_t read_number() {
    if (accept('*')) {
      const auto number = next_argument().as_integer();
      if (!number) fail("* wants int");
      return clamp_to_64_bits(*number);
    }
    std::int64_t number = 0;
    while (at_ < format_.size() && format_[at_] >= '0' && format_[at_] <= '9') {
      number = number * 10 + (format_[at_++] - '0');
      if (number > kMostWidth) fail("width too big");
    }
    return number;
  }

  Value next_argument() {
    if (key_) {
      if (arguments_.dict() == nullptr) fail("format requires a mapping");
      const Value* found = arguments_.dict()->find(std::string_view(*key_));
      if (found == nullptr) fail(fmt::format("the mapping has no key '{}'", *key_));
      used_ = 1;  // as in Python, no conversion without a key can follow
      return *found;
    }
    if (arguments_.is_tuple()) {
      if (used_ == arguments_.sequence()->items.size())
        fail("not enough arguments for format string");
      return arguments_.sequence()->items[used_++];
    }
    if (used_++ > 0) fail("not enough arguments for format string");
    return arguments_;
  }

  void check_all_used() const {
    const std::size_t given = arguments_.is_tuple() ? arguments_.sequence()->items.size() : 1;
    // A mapping or list that no conversion asked for is allowed.
    const bool may_be_unused = !arguments_.is_tuple() && !arguments_.is_number() &&
                               !arguments_.is_none() && arguments_.text() == nullptr;
    if (used_ < given && !may_be_unused) {
      fail("not all arguments converted during string formatting");
    }
  }

  void print(const Conversion& conversion, const Value& value) {
    check_memory(static_cast<std::size_t>(conversion.width) + out_.size());
    std::string field;
    switch (conversion.type) {
      case 's':
      case 'r':
      case 'a':
        field = text_of(conversion, value);
        break;
      case 'c':
        field = character_of(value);
        break;
      default:
        field = number_of(conversion, value);
    }
    out_ += pad(field, conversion.width, " ", conversion.left ? Side::kLeft : Side::kRight);
  }

  std::string text_of(const Conversion& conversion, const Value& value) const {
    std::string field = conversion.type == 's'   ? to_text(value)
                        : conversion.type == 'r' ? repr(value)
                                                 : ascii(value);
    const bool is_safe =
        conversion.type == 's' && value.text() != nullptr && value.text()->is_markup;
    if (is_markup_ && !is_safe) field = escape_html(field);
    if (!conversion.layout.precision) return field;
    return take_characters(field, 0, 1,
                           std::min(count_characters(field), *conversion.layout.precision));
  }

  static std::string character_of(const Value& value) {
    if (const Text* text = value.text(); text != nullptr && count_characters(text->bytes) == 1) {
      return text->bytes;
    }
    const auto code = value.as_integer();
    if (!code || *code < 0 || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000)) {
      fail("%c requires int or char");
    }
    std::string character;
    append_code_point(static_cast<char32_t>(*code), character);
    return character;
  }

  static std::string number_of(const Conversion& conversion, const Value& value) {
    NumberLayout layout = conversion.layout;
    layout.type = conversion.type;
    if (!value.is_number()) {
      fail(fmt::format("%{} format: a number is required, not {}", conversion.type,
                       value.type_name()));
    }
    FormattedNumber number;
    if (std::string_view("eEfFgG").find(conversion.type) != std::string_view::npos) {
      number = format_float(*value.as_float(), layout);
    } else if (std::string_view("diu").find(conversion.type) != std::string_view::npos) {
      layout.type = 'd';
      number = whole_number(
          value.is_float() ? truncate_float(*value.as_float()) : *value.as_integer(), layout);
    } else if (std::string_view("xXo").find(conversion.type) != std::string_view::npos) {
      if (value.is_float())
        fail(fmt::format("%{} format: an integer is required", conversion.type));
      number = whole_number(*value.as_integer(), layout);
    } else {
      fail(fmt::format("unsupported format character '{}'", conversion.type));
    }
    if (!conversion.zeros || conversion.left) return number.sign_and_prefix + number.digits;
    return pad_with_zeros(number, conversion.width, 0);
  }

  // The precision of a whole number is its least count of digits.
  static FormattedNumber whole_number(Integer value, const NumberLayout& layout) {
    FormattedNumber number = format_integer(value, layout);
    const auto wanted = layout.precision.value_or(0);
    number.digits = pad(number.digits, wanted, "0", Side::kRight);
    return number;
  }

  const std::string& format_;
  bool is_markup_;
  const Value& arguments_;
  std::size_t at_ = 0, used_ = 0;
  std::optional<std::string> key_;
  std::string out_;
};

}  // namespace

Value printf_format(const Text& format, const Value& arguments) {
  count_bytes(format.bytes.size());
  return Value::make_text(PrintfFormatter(format, arguments).run(), format.is_markup);
}

}  // namespace aurum::text::jinja

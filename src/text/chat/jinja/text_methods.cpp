// The methods of Python's str.

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/methods.h"
#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/python_text.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

using Bound = const BoundArguments&;

const std::string& bytes_of(const Value& self) { return self.text()->bytes; }

// The result of a method is as safe as the text it was called on.
Value like(const Value& self, std::string_view text) {
  return Value::make_text(std::string(text), self.text()->is_markup);
}

std::vector<Value> all_like(const Value& self, const std::vector<std::string>& pieces) {
  std::vector<Value> out;
  out.reserve(pieces.size());
  for (const std::string& piece : pieces) out.push_back(like(self, piece));
  return out;
}

// An argument that a safe text takes in: escaped unless it is safe itself.
std::string taken_in(const Value& self, const Value& argument) {
  const Text& text = *argument.text();
  return self.text()->is_markup && !text.is_markup ? escape_html(text.bytes) : text.bytes;
}

template <std::string (*kChange)(std::string_view)>
Value change(const Value& self, Bound) {
  return like(self, kChange(bytes_of(self)));
}

template <bool (*kTest)(std::string_view)>
Value test(const Value& self, Bound) {
  return kTest(bytes_of(self));
}

template <bool (*kPredicate)(char32_t)>
Value test_characters(const Value& self, Bound) {
  return all_characters(bytes_of(self), kPredicate);
}

template <Side kSide>
Value strip_side(const Value& self, Bound a) {
  return like(self, strip(bytes_of(self), a.optional_text(0), kSide));
}

template <auto kSplit>
Value split_text(const Value& self, Bound a) {
  return Value::list(all_like(self, kSplit(bytes_of(self), a.optional_text(0), a.integer(1, -1))));
}

Value lines(const Value& self, Bound a) {
  return Value::list(all_like(self, split_lines(bytes_of(self), a.flag(0, false))));
}

// The part of the text that start and end select, and the position of its first character.
struct Window {
  std::string_view text;
  std::int64_t offset;
};

std::optional<Window> window(const Value& self, Bound a) {
  const std::string& text = bytes_of(self);
  const std::int64_t size = count_characters(text);
  const auto bound = [&](std::size_t index, std::int64_t otherwise) {
    std::int64_t position = a.is_given(index) ? a.integer(index) : otherwise;
    if (position < 0) position = std::max<std::int64_t>(0, position + size);
    return position;
  };
  const std::int64_t start = bound(1, 0), end = std::min(bound(2, size), size);
  if (start > end) return std::nullopt;
  const std::size_t begin = byte_of_character(text, start);
  return Window{std::string_view(text).substr(begin, byte_of_character(text, end) - begin), start};
}

template <bool kFromRight>
std::int64_t position_in(const Value& self, Bound a) {
  const auto where = window(self, a);
  if (!where) return -1;
  const std::size_t at =
      kFromRight ? find_last(where->text, a.text(0)) : find_first(where->text, a.text(0));
  return at == std::string_view::npos ? -1
                                      : where->offset + count_characters(where->text.substr(0, at));
}

template <bool kFromRight>
Value find(const Value& self, Bound a) {
  return position_in<kFromRight>(self, a);
}

template <bool kFromRight>
Value index(const Value& self, Bound a) {
  const std::int64_t position = position_in<kFromRight>(self, a);
  if (position < 0) fail("substring not found");
  return position;
}

Value count(const Value& self, Bound a) {
  const auto where = window(self, a);
  return where ? count_occurrences(where->text, a.text(0)) : 0;
}

template <bool kAtStart>
Value has_affix(const Value& self, Bound a) {
  const auto where = window(self, a);
  const auto matches = [&](const Value& affix) {
    if (affix.text() == nullptr) {
      fail(fmt::format("startswith and endswith want a string or a tuple of strings, not {}",
                       affix.type_name()));
    }
    const std::string& part = affix.text()->bytes;
    return where && (kAtStart ? where->text.starts_with(part) : where->text.ends_with(part));
  };
  if (!a.at(0).is_tuple()) return matches(a.at(0));
  const auto& affixes = a.at(0).sequence()->items;
  return std::any_of(affixes.begin(), affixes.end(), matches);
}

Value replace_text(const Value& self, Bound a) {
  a.text(1);
  return like(self, replace(bytes_of(self), a.text(0), taken_in(self, a.at(1)), a.integer(2, -1)));
}

Value join(const Value& self, Bound a) {
  std::string out;
  bool first = true;
  Cursor cursor(a.at(0));
  while (const auto item = cursor.next()) {
    count_step();
    const bool escapes = self.text()->is_markup;
    if (item->text() == nullptr && !escapes) {
      fail(fmt::format("join() wants strings, not {}", item->type_name()));
    }
    const std::string piece =
        item->text() != nullptr ? taken_in(self, *item) : escape_html(to_text(*item));
    check_memory(out.size() + bytes_of(self).size() + piece.size());
    if (!first) out += bytes_of(self);
    first = false;
    out += piece;
  }
  return like(self, out);
}

template <bool kFromRight>
Value partition(const Value& self, Bound a) {
  const std::string& text = bytes_of(self);
  const std::string& separator = a.text(0);
  if (separator.empty()) fail("empty separator");
  const std::size_t at = kFromRight ? find_last(text, separator) : find_first(text, separator);
  std::vector<std::string> parts;
  if (at != std::string::npos) {
    parts = {text.substr(0, at), separator, text.substr(at + separator.size())};
  } else if (kFromRight) {
    parts = {"", "", text};
  } else {
    parts = {text, "", ""};
  }
  return Value::tuple(all_like(self, parts));
}

template <Side kSide>
Value pad_text(const Value& self, Bound a) {
  std::string fill = " ";
  if (a.find(1) != nullptr) {
    a.text(1);
    fill = taken_in(self, a.at(1));
  }
  if (count_characters(fill) != 1) fail("the fill character must be exactly one character long");
  return like(self, pad(bytes_of(self), a.integer(0), fill, kSide));
}

Value fill_with_zeros(const Value& self, Bound a) {
  return like(self, zero_fill(bytes_of(self), a.integer(0)));
}

Value tabs(const Value& self, Bound a) {
  return like(self, expand_tabs(bytes_of(self), a.integer(0, 8)));
}

Value remove_prefix(const Value& self, Bound a) {
  std::string_view text = bytes_of(self);
  if (text.starts_with(a.text(0))) text.remove_prefix(a.text(0).size());
  return like(self, text);
}

Value remove_suffix(const Value& self, Bound a) {
  std::string_view text = bytes_of(self);
  if (!a.text(0).empty() && text.ends_with(a.text(0))) text.remove_suffix(a.text(0).size());
  return like(self, text);
}

Value is_ascii(const Value& self, Bound) {
  const std::string& text = bytes_of(self);
  return std::all_of(text.begin(), text.end(), [](char byte) { return (byte & 0x80) == 0; });
}

Value is_printable_text(const Value& self, Bound) {
  return bytes_of(self).empty() || all_characters(bytes_of(self), is_printable);
}

const Signature kNone{};
const Signature kBlanks{{"chars"}, 0};
const Signature kSplit{{"sep", "maxsplit"}, 0};
const Signature kPart{{"sub", "start", "end"}, 1};
const Signature kWidth{{"width"}, 1};
const Signature kPad{{"width", "fillchar"}, 1};
const Signature kOne{{"text"}, 1};

const Method kMethods[] = {
    {"capitalize", kNone, change<capitalize>},
    {"casefold", kNone, change<fold_case>},
    {"center", kPad, pad_text<Side::kBoth>},
    {"count", kPart, count},
    {"endswith", kPart, has_affix<false>},
    {"expandtabs", {{"tabsize"}, 0}, tabs},
    {"find", kPart, find<false>},
    {"index", kPart, index<false>},
    {"isalnum", kNone, test_characters<is_alphanumeric>},
    {"isalpha", kNone, test_characters<is_alphabetic>},
    {"isascii", kNone, is_ascii},
    {"isdecimal", kNone, test_characters<is_decimal>},
    {"isdigit", kNone, test_characters<is_digit>},
    {"islower", kNone, test<is_lower>},
    {"isnumeric", kNone, test_characters<is_numeric_character>},
    {"isprintable", kNone, is_printable_text},
    {"isspace", kNone, test_characters<is_python_space>},
    {"istitle", kNone, test<is_title>},
    {"isupper", kNone, test<is_upper>},
    {"join", kOne, join},
    {"ljust", kPad, pad_text<Side::kLeft>},
    {"lower", kNone, change<to_lower>},
    {"lstrip", kBlanks, strip_side<Side::kLeft>},
    {"partition", kOne, partition<false>},
    {"removeprefix", kOne, remove_prefix},
    {"removesuffix", kOne, remove_suffix},
    {"replace", {{"old", "new", "count"}, 2}, replace_text},
    {"rfind", kPart, find<true>},
    {"rindex", kPart, index<true>},
    {"rjust", kPad, pad_text<Side::kRight>},
    {"rpartition", kOne, partition<true>},
    {"rsplit", kSplit, split_text<split_from_right>},
    {"rstrip", kBlanks, strip_side<Side::kRight>},
    {"split", kSplit, split_text<jinja::split>},
    {"splitlines", {{"keepends"}, 0}, lines},
    {"startswith", kPart, has_affix<true>},
    {"strip", kBlanks, strip_side<Side::kBoth>},
    {"swapcase", kNone, change<swap_case>},
    {"title", kNone, change<to_title>},
    {"upper", kNone, change<to_upper>},
    {"zfill", kWidth, fill_with_zeros},
};

}  // namespace

const Method* find_text_method(std::string_view name) {
  const auto* found = std::lower_bound(
      std::begin(kMethods), std::end(kMethods), name,
      [](const Method& method, std::string_view wanted) { return method.name < wanted; });
  return found != std::end(kMethods) && found->name == name ? found : nullptr;
}

}  // namespace aurum::text::jinja

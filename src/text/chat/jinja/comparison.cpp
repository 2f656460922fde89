#include "text/chat/jinja/comparison.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

namespace {

// Compares exactly, also where a double cannot hold the integer.
int compare_integer_and_float(Integer a, double b) {
  if (b >= 1.7e38) return -1;
  if (b <= -1.7e38) return 1;
  const double floor = std::floor(b);
  const auto whole = static_cast<Integer>(floor);
  if (a != whole) return a < whole ? -1 : 1;
  return floor < b ? -1 : 0;
}

// <0, 0 or >0; nullopt when a NaN is involved.
std::optional<int> compare_numbers(const Value& a, const Value& b) {
  if (!a.is_float() && !b.is_float()) {
    const Integer x = *a.as_integer(), y = *b.as_integer();
    return x < y ? -1 : x > y ? 1 : 0;
  }
  const double x = *a.as_float(), y = *b.as_float();
  if (std::isnan(x) || std::isnan(y)) return std::nullopt;
  if (!a.is_float()) return compare_integer_and_float(*a.as_integer(), y);
  if (!b.is_float()) return -compare_integer_and_float(*b.as_integer(), x);
  return x < y ? -1 : x > y ? 1 : 0;
}

bool sequences_are_equal(const Sequence& a, const Sequence& b) {
  if (a.items.size() != b.items.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    count_step();
    if (!a.items[i].same_object(b.items[i]) && !are_equal(a.items[i], b.items[i])) return false;
  }
  return true;
}

// keys() and items() compare as sets, values() never compare equal.
bool views_are_equal(const Sequence& a, const Sequence& b) {
  if (a.form == Sequence::Form::kValues || b.form == Sequence::Form::kValues) return &a == &b;
  if (!a.is_view() || !b.is_view() || a.items.size() != b.items.size()) return false;
  return std::all_of(a.items.begin(), a.items.end(), [&](const Value& item) {
    return std::any_of(b.items.begin(), b.items.end(), [&](const Value& other) {
      count_step();
      return are_equal(item, other);
    });
  });
}

bool dicts_are_equal(const Dict& a, const Dict& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, value] : a.entries()) {
    count_step();
    const Value* other = b.find(key);
    if (other == nullptr || !(value.same_object(*other) || are_equal(value, *other))) return false;
  }
  return true;
}

bool ranges_are_equal(const Range& a, const Range& b) {
  if (a.count != b.count) return false;
  if (a.count == 0) return true;
  return a.start == b.start && (a.count == 1 || a.step == b.step);
}

bool have_equal_form(const Value& a, const Value& b) {
  return (a.is_list() && b.is_list()) || (a.is_tuple() && b.is_tuple());
}

[[noreturn]] void fail_to_order(const Value& a, const Value& b) {
  if (a.is_undefined()) fail(a.undefined_reason());
  if (b.is_undefined()) fail(b.undefined_reason());
  fail(fmt::format("'<' is not supported between instances of '{}' and '{}'", a.type_name(),
                   b.type_name()));
}

bool sequence_is_less(const Sequence& a, const Sequence& b) {
  const std::size_t shared = std::min(a.items.size(), b.items.size());
  for (std::size_t i = 0; i < shared; ++i) {
    count_step();
    if (!are_equal(a.items[i], b.items[i])) return is_less(a.items[i], b.items[i]);
  }
  return a.items.size() < b.items.size();
}

bool text_contains(const Text& text, const Value& item) {
  const Text* part = item.text();
  if (item.is_undefined()) fail(item.undefined_reason());
  if (part == nullptr) {
    fail(fmt::format("'in <string>' requires string as left operand, not {}", item.type_name()));
  }
  return find_first(text.bytes, part->bytes) != std::string::npos;
}

}  // namespace

bool is_true(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (const auto integer = value.as_integer()) return *integer != 0;
  if (value.is_float()) return *value.as_float() != 0.0;
  if (const Text* text = value.text()) return !text->bytes.empty();
  if (const Sequence* sequence = value.sequence()) return !sequence->items.empty();
  if (const Dict* dict = value.dict()) return dict->size() != 0;
  if (const Range* range = value.range()) return range->count != 0;
  return true;
}

bool are_equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.text() != nullptr && b.text() != nullptr) {
    count_bytes(std::min(a.text()->bytes.size(), b.text()->bytes.size()));
    return a.text()->bytes == b.text()->bytes;
  }
  if (a.sequence() != nullptr && b.sequence() != nullptr) {
    return have_equal_form(a, b) ? sequences_are_equal(*a.sequence(), *b.sequence())
                                 : views_are_equal(*a.sequence(), *b.sequence());
  }
  if (a.dict() != nullptr && b.dict() != nullptr) return dicts_are_equal(*a.dict(), *b.dict());
  if (a.range() != nullptr && b.range() != nullptr) return ranges_are_equal(*a.range(), *b.range());
  return a.same_object(b);
}

bool is_less(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    const auto order = compare_numbers(a, b);
    return order && *order < 0;
  }
  if (a.text() != nullptr && b.text() != nullptr) {
    count_bytes(std::min(a.text()->bytes.size(), b.text()->bytes.size()));
    return a.text()->bytes < b.text()->bytes;  // UTF-8 sorts as code points do
  }
  if (have_equal_form(a, b)) return sequence_is_less(*a.sequence(), *b.sequence());
  fail_to_order(a, b);
}

bool contains(const Value& container, const Value& item) {
  if (const Text* text = container.text()) return text_contains(*text, item);
  if (const Dict* dict = container.dict()) return dict->find(item) != nullptr;
  Cursor cursor(container);
  while (const auto candidate = cursor.next()) {
    count_step();
    if (candidate->same_object(item) || are_equal(*candidate, item)) return true;
  }
  return false;
}

std::size_t hash_of(std::string_view key) {
  count_bytes(key.size());
  return std::hash<std::string_view>()(key);
}

std::size_t hash_of(const Value& key) {
  if (const Text* text = key.text()) return hash_of(std::string_view(text->bytes));
  if (const auto number = key.as_float()) return std::hash<double>()(*number);
  if (key.is_none() || key.is_undefined() || key.object() != nullptr || key.iterator() != nullptr ||
      key.range() != nullptr) {
    return 1;
  }
  if (!key.is_tuple()) fail(fmt::format("unhashable type: '{}'", key.type_name()));
  std::size_t hash = 7;
  for (const Value& item : key.sequence()->items) hash = hash * 31 + hash_of(item);
  return hash;
}

}  // namespace aurum::text::jinja

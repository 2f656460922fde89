#include "text/chat/jinja/iteration.h"

#include <algorithm>

#include <fmt/format.h>

#include "text/chat/jinja/python_text.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

Cursor::Cursor(Value iterable) : iterable_(std::move(iterable)) {
  if (!is_iterable(iterable_)) {
    fail(fmt::format("'{}' object is not iterable", iterable_.type_name()));
  }
}

std::optional<Value> Cursor::next() {
  if (const Sequence* sequence = iterable_.sequence()) {
    if (position_ == sequence->items.size()) return std::nullopt;
    return sequence->items[position_++];
  }
  if (const Dict* dict = iterable_.dict()) {
    if (position_ == dict->size()) return std::nullopt;
    return dict->entries()[position_++].first;
  }
  if (iterable_.text() != nullptr) return next_character();
  if (const Range* range = iterable_.range()) {
    if (position_ == static_cast<std::size_t>(range->count)) return std::nullopt;
    return Value(range->at(static_cast<std::int64_t>(position_++)));
  }
  if (Iterator* iterator = iterable_.iterator()) {
    if (iterator->next == iterator->items.size()) return std::nullopt;
    return iterator->items[iterator->next++];
  }
  return std::nullopt;
}

std::optional<Value> Cursor::next_character() {
  const std::string& bytes = iterable_.text()->bytes;
  if (position_ == bytes.size()) return std::nullopt;
  const std::size_t begin = position_;
  position_ += utf8_length(bytes[begin]);
  return Value(bytes.substr(begin, position_ - begin));
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.sequence() != nullptr || value.dict() != nullptr ||
         value.text() != nullptr || value.range() != nullptr || value.iterator() != nullptr;
}

std::vector<Value> items_of(const Value& iterable) {
  if (const Sequence* sequence = iterable.sequence()) {
    check_memory(sequence->items.size(), sizeof(Value));
    return sequence->items;
  }
  std::vector<Value> items;
  if (const auto length = length_of(iterable)) {
    check_memory(static_cast<std::size_t>(*length), sizeof(Value));
    items.reserve(static_cast<std::size_t>(*length));
  }
  Cursor cursor(iterable);
  while (auto item = cursor.next()) {
    count_step();
    items.push_back(std::move(*item));
  }
  return items;
}

std::optional<std::int64_t> length_of(const Value& value) {
  const auto size = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  if (value.is_undefined()) return 0;
  if (const Text* text = value.text()) return size(count_characters(text->bytes));
  if (const Sequence* sequence = value.sequence()) return size(sequence->items.size());
  if (const Dict* dict = value.dict()) return size(dict->size());
  if (const Range* range = value.range()) return range->count;
  if (const Object* object = value.object()) return object->length();
  return std::nullopt;
}

}  // namespace aurum::text::jinja

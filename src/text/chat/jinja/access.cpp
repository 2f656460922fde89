#include "text/chat/jinja/access.h"

#include <algorithm>

#include <fmt/format.h>

#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/methods.h"
#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

namespace {

// The positions that a slice selects; `stop` is the first one behind them, as it was written.
struct Selection {
  std::int64_t start, stop, step, count;
};

std::optional<std::int64_t> slice_bound(const Value& bound) {
  if (bound.is_none()) return std::nullopt;
  const auto integer = bound.as_integer();
  if (!integer) fail("slice indices must be integers or None");
  return clamp_to_64_bits(*integer);
}

// As Python's slice.indices().
Selection select(std::int64_t size, const Value& start, const Value& stop, const Value& step) {
  const std::int64_t stride =
      std::clamp<std::int64_t>(slice_bound(step).value_or(1), -size - 1, size + 1);
  if (stride == 0) fail("slice step cannot be zero");
  const std::int64_t low = stride < 0 ? -1 : 0, high = stride < 0 ? size - 1 : size;
  const auto clamped = [&](const Value& bound, std::int64_t otherwise) {
    auto position = slice_bound(bound);
    if (!position) return otherwise;
    if (*position < 0) *position += size;
    return std::clamp(*position, low, high);
  };
  const std::int64_t from = clamped(start, stride < 0 ? high : low);
  const std::int64_t to = clamped(stop, stride < 0 ? low : high);
  const std::int64_t distance = stride < 0 ? from - to : to - from;
  const std::int64_t magnitude = stride < 0 ? -stride : stride;
  return {from, to, stride, distance <= 0 ? 0 : (distance - 1) / magnitude + 1};
}

Value slice_sequence(const Sequence& sequence, const Selection& selection) {
  check_memory(static_cast<std::size_t>(selection.count), sizeof(Value));
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(selection.count));
  for (std::int64_t i = 0; i < selection.count; ++i) {
    items.push_back(sequence.items[static_cast<std::size_t>(selection.start + i * selection.step)]);
  }
  return make_sequence(std::move(items), sequence.form == Sequence::Form::kList
                                             ? Sequence::Form::kList
                                             : Sequence::Form::kTuple);
}

Value slice_range(const Range& range, const Selection& s) {
  const auto at = [&](std::int64_t index) { return clamp_to_64_bits(range.at(index)); };
  return std::shared_ptr<const Range>(
      std::make_shared<const Range>(Range{at(s.start), at(s.stop), range.step * s.step, s.count}));
}

// The position that Python means by `index`; nullopt when there is none.
std::optional<std::int64_t> position_of(Integer index, std::int64_t size) {
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::nullopt;
  return static_cast<std::int64_t>(index);
}

Value character_of(const Text& text, std::int64_t position) {
  return Value::make_text(take_characters(text.bytes, position, 1, 1), text.is_markup);
}

// container[index]; nullopt when this fails with Python's IndexError, KeyError or TypeError.
std::optional<Value> try_item(const Value& value, const Value& key) {
  if (const Dict* dict = value.dict()) {
    if (key.is_list() || key.dict() != nullptr) return std::nullopt;
    const Value* found = dict->find(key);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  const auto index = key.as_integer();
  if (!index) return std::nullopt;
  if (const Sequence* sequence = value.sequence(); sequence != nullptr && !sequence->is_view()) {
    const auto at = position_of(*index, static_cast<std::int64_t>(sequence->items.size()));
    return at ? std::optional<Value>(sequence->items[static_cast<std::size_t>(*at)]) : std::nullopt;
  }
  if (const Text* text = value.text()) {
    const auto at = position_of(*index, count_characters(text->bytes));
    return at ? std::optional<Value>(character_of(*text, *at)) : std::nullopt;
  }
  if (const Range* range = value.range()) {
    const auto at = position_of(*index, range->count);
    return at ? std::optional<Value>(range->at(*at)) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<Value> try_attribute(const Value& value, std::string_view name) {
  if (const Object* object = value.object()) return object->attribute(name);
  return method_of(value, name);
}

void check_defined(const Value& value) {
  if (value.is_undefined()) fail(value.undefined_reason());
}

Value missing_item(const Value& value, const Value& key) {
  const std::string owner = value.is_none() ? "None" : value.type_name() + " object";
  if (const Text* name = key.text()) {
    return Value::undefined(fmt::format("'{}' has no attribute '{}'", owner, name->bytes));
  }
  return Value::undefined(fmt::format("{} has no element {}", owner, repr(key)));
}

}  // namespace

Value attribute_of(const Value& value, std::string_view name) {
  check_defined(value);
  if (auto found = try_attribute(value, name)) return *found;
  const Value key{std::string(name)};
  if (auto found = try_item(value, key)) return *found;
  return missing_item(value, key);
}

Value item_of(const Value& value, const Value& key) {
  check_defined(value);
  if (auto found = try_item(value, key)) return *found;
  if (const Text* name = key.text()) {
    if (auto found = try_attribute(value, name->bytes)) return *found;
  }
  return missing_item(value, key);
}

Value slice_of(const Value& value, const Value& start, const Value& stop, const Value& step) {
  check_defined(value);
  const Sequence* sequence = value.sequence();
  if ((sequence == nullptr || sequence->is_view()) && value.text() == nullptr &&
      value.range() == nullptr) {
    fail(fmt::format("'{}' object cannot be sliced", value.type_name()));
  }
  const Selection selection = select(*length_of(value), start, stop, step);
  if (sequence != nullptr) return slice_sequence(*sequence, selection);
  if (value.range() != nullptr) return slice_range(*value.range(), selection);
  return Value::make_text(
      take_characters(value.text()->bytes, selection.start, selection.step, selection.count),
      value.text()->is_markup);
}

}  // namespace aurum::text::jinja

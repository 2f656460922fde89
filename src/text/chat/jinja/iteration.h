#pragma once

#include <optional>
#include <vector>

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// Walks over the items of a list, the keys of a mapping, the characters of a string, or what is
// left of an iterator. Fails for a value that cannot be looped over.
class Cursor {
 public:
  explicit Cursor(Value iterable);
  std::optional<Value> next();

 private:
  std::optional<Value> next_character();

  Value iterable_;
  std::size_t position_ = 0;
};

bool is_iterable(const Value& value);

// Everything that a Cursor would give, as list() does.
std::vector<Value> items_of(const Value& iterable);

// len(value); nullopt when it has none.
std::optional<std::int64_t> length_of(const Value& value);

}  // namespace aurum::text::jinja

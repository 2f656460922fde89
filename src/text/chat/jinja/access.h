#pragma once

#include <string_view>

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// value.name: a method or attribute first, then the item of that name; undefined when neither
// exists.
Value attribute_of(const Value& value, std::string_view name);

// value[key]: the item first, then, for a string key, the attribute; undefined when neither exists.
Value item_of(const Value& value, const Value& key);

// value[start:stop:step]; a bound that is None is open.
Value slice_of(const Value& value, const Value& start, const Value& stop, const Value& step);

}  // namespace aurum::text::jinja

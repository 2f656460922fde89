#pragma once

#include <string_view>

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// bool(value)
bool is_true(const Value& value);

// a == b. Numbers of different types compare by value; never fails.
bool are_equal(const Value& a, const Value& b);

// a < b; fails, as Python does, for types that have no order.
bool is_less(const Value& a, const Value& b);

// item in container
bool contains(const Value& container, const Value& item);

// Equal keys have equal hashes. Fails for lists and mappings.
std::size_t hash_of(const Value& key);
std::size_t hash_of(std::string_view key);

}  // namespace aurum::text::jinja

#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // of one level; nullopt prints one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};

// json.dumps(value). Fails for values that JSON does not have.
std::string dump_json(const Value& value, const JsonStyle& style);

// The values of a parsed JSON text, keys in their order.
Value from_json(const nlohmann::ordered_json& json);

}  // namespace aurum::text::jinja

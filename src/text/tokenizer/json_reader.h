#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace aurum::text {

using Json = nlohmann::ordered_json;

// A place inside a tokenizer file: "<file>: /normalizer/pattern" in messages.
struct JsonPlace {
  std::string path;
  JsonPlace operator/(const std::string& key) const { return {path + "/" + key}; }
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: {}", path, what));
  }
};

// The value under `key`, or `fallback` when it is absent or null. Wrong types are FormatErrors.
template <typename T>
T json_value(const Json& object, const char* key, T fallback, const JsonPlace& place) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return fallback;
  try {
    return it->template get<T>();
  } catch (const nlohmann::json::exception&) {
    (place / key).fail(fmt::format("has the wrong type ({})", it->type_name()));
  }
}

inline std::string json_string(const Json& object, const char* key, const JsonPlace& place) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_string()) (place / key).fail("a string is missing here");
  return it->get<std::string>();
}

inline std::string json_type(const Json& object, const JsonPlace& place) {
  if (!object.is_object()) place.fail("must be an object");
  return json_string(object, "type", place);
}

inline const Json& json_array(const Json& object, const char* key, const JsonPlace& place) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_array()) (place / key).fail("a list is missing here");
  return *it;
}

}  // namespace aurum::text

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace aurum::weights {

// Typed access to an object's keys; null counts as absent.
class ConfigKeys {
 public:
  using Json = nlohmann::ordered_json;
  static constexpr std::int64_t kMaxSize = std::int64_t{1} << 31;

  ConfigKeys(const Json& json, const std::string& source, std::string pointer = "")
      : json_(json), source_(source), pointer_(std::move(pointer)) {}

  const Json* find(std::string_view key) const {
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  bool contains(std::string_view key) const { return json_.contains(key); }

  std::optional<std::int64_t> integer(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number_integer()) fail(key, "must be a whole number");
    return value->get<std::int64_t>();
  }

  std::int64_t size(std::string_view key, std::optional<std::int64_t> fallback = {}) const {
    const auto value = integer(key);
    if (!value && !fallback) fail(key, "is missing");
    const std::int64_t size = value ? *value : *fallback;
    if (size < 1 || size > kMaxSize) fail(key, fmt::format("is {}, out of range", size));
    return size;
  }

  std::optional<double> number(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) fail(key, "must be a number");
    return value->get<double>();
  }

  bool boolean(std::string_view key, bool fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) fail(key, "must be true or false");
    return value->get<bool>();
  }

  std::optional<std::string> string(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) fail(key, "must be a string");
    return value->get<std::string>();
  }

  template <typename T>
  std::optional<std::vector<T>> list(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_array()) fail(key, "must be a list");
    try {
      return value->get<std::vector<T>>();
    } catch (const Json::exception&) {
      fail(key, "has an element of the wrong type");
    }
  }

  std::optional<ConfigKeys> object(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_object()) fail(key, "must be an object");
    return ConfigKeys(*value, source_, fmt::format("{}/{}", pointer_, key));
  }

  [[noreturn]] void fail(std::string_view key, std::string_view problem) const {
    throw FormatError(fmt::format("{}: {}/{} {}. Correct it, or fetch the model's files again.",
                                  source_, pointer_, key, problem));
  }

 private:
  const Json& json_;
  const std::string& source_;
  std::string pointer_;
};

}  // namespace aurum::weights
